"""Connections to Redis: which queue is where, and the line on which this process pushes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings as django_settings
from django_rq.connection_utils import filter_connection_params, get_redis_connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from ..exceptions import JobTimeout

logger = logging.getLogger("django_jobs.queues")

CALLER_TIMEOUT = 0.25
"""Seconds that a caller's connection waits, for the connect and for the answer: together the design's half second."""
BREAK = 5.0
"""Seconds for which nothing is pushed after Redis failed to answer."""

Unreachable = RedisError
"""What a Redis that cannot be reached raises."""


def config(queue: str) -> dict[str, Any]:
    return dict(filter_connection_params(django_settings.RQ_QUEUES[queue]))


def problem(queue: str) -> str:
    """Why the entry of RQ_QUEUES makes no connection, "" where it makes one. Nothing is sent."""
    try:
        get_redis_connection(config(queue))
    except Exception as error:  # noqa: BLE001  (whatever django-rq, Redis or a cache says of what stands there)
        return f"{type(error).__name__}: {error}"
    return ""


def by_connection(queues: Iterable[str]) -> list[list[str]]:
    """The queues, grouped by the Redis server that holds them."""
    groups: list[tuple[dict[str, Any], list[str]]] = []
    for queue in queues:
        params = config(queue)
        for known, members in groups:
            if known == params:
                members.append(queue)
                break
        else:
            groups.append((params, [queue]))
    return [members for _, members in groups]


def connect(queue: str, *, timeout: float, connect_timeout: float = 2.0) -> Redis:
    """A client of its own for the Redis that holds `queue`: no silent retries, no answer after `timeout` seconds."""
    client = get_redis_connection(config(queue))
    kwargs = client.connection_pool.connection_kwargs
    kwargs.update(socket_timeout=timeout, socket_connect_timeout=connect_timeout, retry=Retry(NoBackoff(), 0))
    kwargs.pop("retry_on_error", None)
    return client


def facts(queue: str) -> tuple[str, str]:
    """Version of the server that holds `queue`, and its eviction policy. Raises `Unreachable`."""
    client = connect(queue, timeout=2.0)
    try:
        server: Any = client.info("server")
        memory: Any = client.info("memory")
        version = server.get("valkey_version") or server.get("redis_version", "unknown")
        return str(version), str(memory.get("maxmemory_policy", "unknown"))
    finally:
        client.close()


class Line:
    """The connection on which this process pushes. Broken, it stays silent for `BREAK` seconds instead of waiting."""

    def __init__(self, queue: str) -> None:
        self.client = connect(queue, timeout=CALLER_TIMEOUT, connect_timeout=CALLER_TIMEOUT)
        self.closed_until = 0.0

    @contextmanager
    def attempt(self, what: str) -> Iterator[Redis | None]:
        """Gives the client, or None while the line is broken. What Redis raises inside is logged, not raised."""
        if time.monotonic() < self.closed_until:
            yield None
            return
        try:
            yield self.client
        except JobTimeout:  # an OSError that is none of Redis's: the time of the job that pushes is up
            raise
        except (RedisError, OSError) as error:
            self.closed_until = time.monotonic() + BREAK
            logger.warning("Redis cannot be reached (%s): %s", error, what)


_lines: dict[str, Line] = {}
_lines_lock = threading.Lock()


def line(queue: str) -> Line:
    """This process's line to the Redis that holds `queue`."""
    identity = repr(sorted(config(queue).items()))
    with _lines_lock:
        if identity not in _lines:
            _lines[identity] = Line(queue)
        return _lines[identity]


def hang_up() -> None:
    """Close every line: before a fork, and when settings change."""
    with _lines_lock:
        for known in _lines.values():
            known.client.close()
        _lines.clear()
