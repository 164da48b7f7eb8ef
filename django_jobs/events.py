"""Publish and listen: hints through Redis that are safe to lose. Whoever waits for one also looks at the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.client import PubSub
from redis.exceptions import RedisError

from . import queues
from .exceptions import JobTimeout

CHANNEL = "dj:events:"
"""One channel for each kind: ``scheduled`` (a job is due at `at`), ``ended`` (the jobs `ids` ended)."""


def publish(kind: str, **facts: Any) -> None:
    """Tell whoever listens for that kind; silent when Redis is away."""
    name = next(iter(queues.names()), None)
    if name is None:
        return
    with queues.line(name).attempt("an event was not published") as client:
        if client is not None:
            client.publish(CHANNEL + kind, json.dumps(facts))


class Listener:
    """Hears events from the moment it was made."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub

    def hear(self, timeout: float) -> dict[str, Any] | None:
        """The next event, or None after `timeout` seconds. While Redis is away it only waits."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            try:
                message = self._pubsub.get_message(ignore_subscribe_messages=True, timeout=left)
            except JobTimeout:
                raise
            except (RedisError, OSError):
                time.sleep(min(left, 0.2))
                return None
            if message is not None and message["type"] == "message":
                event: dict[str, Any] = json.loads(message["data"])
                return event
        return None


@contextmanager
def listen(*kinds: str) -> Iterator[Listener]:
    """A listener for these kinds, on a connection of its own."""
    client = queues.connect(queues.names()[0], timeout=5.0)
    pubsub = client.pubsub()
    try:
        try:
            pubsub.subscribe(*[CHANNEL + kind for kind in kinds])
        except JobTimeout:
            raise
        except (RedisError, OSError):
            pass
        yield Listener(pubsub)
    finally:
        pubsub.close()
        client.close()
