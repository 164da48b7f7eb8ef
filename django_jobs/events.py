"""Publish and listen: hints through Redis that are safe to lose. Whoever waits for one also looks at the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.client import PubSub
from redis.exceptions import RedisError

from . import queues
from .exceptions import JobTimeout

CHANNEL = "dj:events:"
"""One channel for each kind: ``scheduled`` (a job is due at `at`), ``ended`` (the jobs `ids` ended), ``console`` (they
have said something), ``released`` (what waited for others may start), ``strange`` (`bells` of queues that
the teller does not know)."""


def publish(kind: str, **facts: Any) -> None:
    """Tell whoever listens for that kind; silent when Redis is away."""
    name = next(iter(queues.names()), None)
    if name is None:
        return
    with queues.line(name).attempt("an event was not published") as client:
        if client is not None:
            client.publish(CHANNEL + kind, json.dumps(facts))


PAUSE = 5.0
"""Seconds between two tries to listen, while Redis is away."""


class Listener:
    """Hears events from the moment it was made, or, where Redis was away then, from when it is back."""

    def __init__(self, pubsub: PubSub, channels: Sequence[str]) -> None:
        self._pubsub = pubsub
        self._channels = channels
        self._tried = -PAUSE
        self._subscribe()

    def _subscribe(self) -> None:
        """What fails is tried again when somebody wants to hear."""
        if self._pubsub.subscribed or time.monotonic() - self._tried < PAUSE:
            return
        try:
            self._pubsub.subscribe(*self._channels)
        except JobTimeout:
            raise
        except (RedisError, OSError):
            self._tried = time.monotonic()

    def hear(self, timeout: float) -> dict[str, Any] | None:
        """The next event with its `kind`, or None after `timeout` seconds. While Redis is away it only waits."""
        end = time.monotonic() + timeout
        self._subscribe()
        while (left := end - time.monotonic()) > 0:
            try:
                message = self._pubsub.get_message(ignore_subscribe_messages=True, timeout=left)
            except JobTimeout:
                raise
            except (RedisError, OSError):
                time.sleep(min(left, 0.2))
                return None
            if message is not None and message["type"] == "message" and (facts := _facts(message["data"])) is not None:
                kind = message["channel"].decode().removeprefix(CHANNEL)
                return {**facts, "kind": kind}
        return None


def _facts(data: bytes) -> dict[str, Any] | None:
    """What was published; None where that was no event: whoever uses this Redis can write into its channels."""
    try:
        facts = json.loads(data)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


@contextmanager
def listen(*kinds: str) -> Iterator[Listener]:
    """A listener for these kinds, on a connection of its own."""
    client = queues.connect(queues.names()[0], timeout=5.0)
    pubsub = client.pubsub()
    try:
        yield Listener(pubsub, [CHANNEL + kind for kind in kinds])
    finally:
        pubsub.close()
        client.close()
