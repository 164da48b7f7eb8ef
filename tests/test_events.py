"""Hints through Redis: who listens while it is away hears them once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from redis.client import PubSub
from redis.exceptions import ConnectionError

from django_jobs import events, queues


@contextmanager
def redis_is_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The tries to subscribe."""
    tries: list[str] = []

    def refused(self: PubSub, *channels: str) -> None:
        tries.extend(channels)
        raise ConnectionError("refused")

    with monkeypatch.context() as away:
        away.setattr(PubSub, "subscribe", refused)
        yield tries


def test_who_began_to_listen_without_redis_hears_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAUSE", 0.0)
    here, there = (f"{kind}-{uuid4()}" for kind in ("here", "there"))  # all databases of a Redis share its channels
    with redis_is_away(monkeypatch) as tries:
        listening = events.listen(here, there)
        listener = listening.__enter__()
        assert listener.hear(0.05) is None
        assert tries == [f"dj:events:{here}", f"dj:events:{there}"] * 2
    assert listener.hear(0.05) is None
    for kind in (here, "elsewhere", there):
        events.publish(kind, ids=[7])
    assert [listener.hear(10), listener.hear(10)] == [{"kind": kind, "ids": [7]} for kind in (here, there)]
    listening.__exit__(None, None, None)


def test_what_is_no_event_is_passed_over() -> None:
    kind = f"kind-{uuid4()}"
    with events.listen(kind) as listener, queues.line("default").attempt("") as redis:
        for data in (b"\xff", "no JSON", "[1]", '{"ids": [7]}'):
            redis.publish(events.CHANNEL + kind, data)
        assert listener.hear(10) == {"kind": kind, "ids": [7]}


def test_redis_is_not_asked_all_the_time_while_it_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with redis_is_away(monkeypatch) as tries, events.listen("ended") as listener:
        for _ in range(5):
            assert listener.hear(0.01) is None
    assert tries == ["dj:events:ended"]
