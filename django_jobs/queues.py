"""All of RQ's queues and of Redis: bells are rung, popped and counted here, and RQ's pages are answered.

A bell is the entry ``dj:<id>`` in an ordinary RQ queue; any other entry is a job of RQ's own. A bell is a hint that is
safe to lose or to double: the row in SQL decides. Priorities are bands: lists beside the queue's own, popped in order.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings as django_settings
from django_rq.connection_utils import filter_connection_params, get_redis_connection
from django_rq.queues import DjangoRQ
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq import Queue as RQQueue
from rq.job import Job as RQJob
from rq.job import JobStatus

from .models import Job

logger = logging.getLogger("django_jobs.queues")

PREFIX = "dj:"
CALLER_TIMEOUT = 0.25
"""Seconds that a caller's connection waits, for the connect and for the answer: together the half second of the design."""
BREAK = 5.0
"""Seconds for which nothing is pushed after Redis failed to answer."""
BLOCK = 1.0
"""Longest blocking pop, in seconds: how long an idle worker takes to hear that it should stop."""
CHUNK = 5000

BANDS: tuple[tuple[int, str], ...] = (
    (50, ":+3"),
    (10, ":+2"),
    (1, ":+1"),
    (0, ""),
    (-9, ":-1"),
    (-49, ":-2"),
    (-100, ":-3"),
)
"""Lowest priority of each band, and what it adds to the queue's name; the highest band is popped first."""

Unreachable = RedisError
"""What a Redis that cannot be reached raises."""


def band(queue: str, priority: int) -> str:
    """Name of the list in which a job of that priority waits."""
    return queue + next(suffix for lowest, suffix in BANDS if priority >= lowest)


def key(name: str) -> str:
    return RQQueue.redis_queue_namespace_prefix + name


def keys_of(queues: Iterable[str], address: str) -> list[str]:
    """The Redis lists that a server with that address pops, in order: each queue's bands, its own bells before all's."""
    return [
        key(queue + at + suffix)
        for queue in queues
        for _, suffix in BANDS
        for at in ((f"@{address}", "") if address else ("",))
    ]


def names() -> list[str]:
    """The site's queues, in the order of ``RQ_QUEUES``."""
    return list(getattr(django_settings, "RQ_QUEUES", None) or {})


def config(queue: str) -> dict[str, Any]:
    return dict(filter_connection_params(django_settings.RQ_QUEUES[queue]))


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
    """A client of its own for the Redis that holds `queue`: no silent retries, and never longer than `timeout` seconds."""
    client = get_redis_connection(config(queue))
    kwargs = client.connection_pool.connection_kwargs
    kwargs.update(socket_timeout=timeout, socket_connect_timeout=connect_timeout, retry=Retry(NoBackoff(), 0))
    kwargs.pop("retry_on_error", None)
    return client


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


def ring(bells: Iterable[tuple[int, str, int]], *, front: bool = False, address: str = "") -> bool:
    """Push a bell for each (id, queue, priority); whether all of them arrived. Never raises for a Redis that is away.

    `address` is where only the servers that publish it listen; `front` puts the bells before those that wait.
    """
    lists: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for job_id, queue, priority in bells:
        name = band(queue + (f"@{address}" if address else ""), priority)
        lists[queue][name].append(f"{PREFIX}{job_id}")
    return all([_push(queue, named, front) for queue, named in lists.items() if queue in django_settings.RQ_QUEUES])


def _push(queue: str, named: dict[str, list[str]], front: bool) -> bool:
    count = sum(map(len, named.values()))
    with line(queue).attempt(f"{count} enqueued job(s) of queue {queue!r} are stored and wait for the sweep") as client:
        if client is None:
            return False
        with client.pipeline(transaction=False) as pipe:
            pipe.sadd(RQQueue.redis_queues_keys, *map(key, named))
            for name, entries in named.items():
                for start in range(0, len(entries), CHUNK):
                    part = entries[start : start + CHUNK]
                    pipe.lpush(key(name), *reversed(part)) if front else pipe.rpush(key(name), *part)
            pipe.execute()
        return True
    return False


def pop(client: Redis, keys: Sequence[str], count: int, block: float) -> tuple[str, list[str]] | None:
    """Up to `count` entries of the first list that has any, and that list's key; None when all stayed empty.

    Blocks up to `block` seconds (at most `BLOCK`); 0 does not block. Raises `Unreachable`.
    """
    if block:
        answer = client.blmpop(min(block, BLOCK), len(keys), *keys, direction="LEFT", count=count)
    else:
        answer = client.lmpop(len(keys), *keys, direction="LEFT", count=count)
    if not answer:
        return None
    name, entries = answer
    return _text(name), [_text(entry) for entry in entries]


def put_back(client: Redis, name: str, entries: Sequence[str]) -> None:
    """Return popped entries to the front of the list they came from, in their order. Raises `Unreachable`."""
    if entries:
        client.lpush(name, *reversed(entries))


def split(entries: Iterable[str]) -> tuple[list[int], list[str]]:
    """The job ids among popped entries, and the entries that are RQ's own jobs."""
    ours: list[int] = []
    foreign: list[str] = []
    for entry in entries:
        number = job_id(entry)
        if number is None:
            foreign.append(entry)
        else:
            ours.append(number)
    return ours, foreign


def job_id(entry: str) -> int | None:
    number = entry.removeprefix(PREFIX)
    return int(number) if number != entry and number.isdecimal() else None


def waiting(queue: str, addresses: Iterable[str] = ()) -> set[int]:
    """Ids of all bells of a queue, in every band and at the given addresses. Raises `Unreachable`."""
    client = connect(queue, timeout=5.0)
    found: set[int] = set()
    try:
        for name in keys_of([queue], "") + [k for address in addresses for k in keys_of([queue], address)]:
            for start in range(0, 1 << 31, CHUNK):
                part = client.lrange(name, start, start + CHUNK - 1)
                found.update(split(map(_text, part))[0])
                if len(part) < CHUNK:
                    break
    finally:
        client.close()
    return found


def forget_addresses(queue: str, alive: Iterable[str]) -> None:
    """Remove the lists at addresses where no server listens any more; their jobs are rung for again. May raise `Unreachable`."""
    kept = set(alive)
    client = connect(queue, timeout=5.0)
    try:
        for name in map(_text, client.smembers(RQQueue.redis_queues_keys)):
            mine, _, address = name.removeprefix(key("")).partition("@")
            if mine == queue and address and address.partition(":")[0] not in kept:
                client.srem(RQQueue.redis_queues_keys, name)
                client.delete(name)
    finally:
        client.close()


def length(queue: str) -> int | None:
    """Entries that wait in a queue, all bands together; None while Redis is away."""
    with line(queue).attempt(f"the length of queue {queue!r} is not known") as client:
        if client is not None:
            with client.pipeline(transaction=False) as pipe:
                for name in keys_of([queue], ""):
                    pipe.llen(name)
                return sum(pipe.execute())
    return None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


class BellJob(RQJob):
    """What RQ's pages see of a bell: the job's row, in the shape of an RQ job. Nothing of it is in Redis."""

    @classmethod
    def of(cls, row: Job, queue: RQQueue) -> BellJob:
        shown = cls(connection=queue.connection, serializer=queue.serializer)
        shown._id = f"{PREFIX}{row.pk}"  # RQ refuses the colon in a new id; its pages only show it
        shown.origin = queue.name
        shown.created_at = row.created_at
        shown.enqueued_at = row.state_at
        shown.description = row.call
        shown._func_name = row.job_type
        shown._instance, shown._args, shown._kwargs = None, tuple(row.args), row.kwargs
        shown._status = JobStatus.QUEUED
        return shown

    def get_status(self, refresh: bool = True) -> JobStatus:
        return JobStatus.QUEUED


class JobQueue(DjangoRQ):
    """For ``RQ = {"QUEUE_CLASS": "django_jobs.queues.JobQueue"}``: RQ's pages read bells from SQL and remove none.

    RQ's own class drops every entry without a Redis hash from the queue as soon as a page lists it.
    """

    def fetch_job(self, job_id: str) -> RQJob | None:
        ours = split([job_id])[0]
        return self._bells(ours).get(job_id) if ours else super().fetch_job(job_id)

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[RQJob]:
        entries = self.get_job_ids(offset, length)
        bells = self._bells(split(entries)[0])
        found = [
            bells.get(entry) if job_id(entry) is not None else super(JobQueue, self).fetch_job(entry)
            for entry in entries
        ]
        return [job for job in found if job is not None]

    def compact(self) -> None:
        """Bells stay: RQ's own compaction would drop them. Dead entries of RQ are removed one by one."""
        for entry in split(self.get_job_ids())[1]:
            if not self.job_class.exists(entry, self.connection):
                self.remove(entry)

    def _bells(self, ids: list[int]) -> dict[str, RQJob]:
        rows = Job.objects.in_bulk(ids) if ids else {}
        return {f"{PREFIX}{pk}": BellJob.of(row, self) for pk, row in rows.items()}
