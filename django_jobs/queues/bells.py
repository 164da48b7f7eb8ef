"""Bells: rung, popped and counted.

A bell is the entry ``dj:<id>`` in an ordinary RQ queue; any other entry is a job of RQ's own. A bell is a hint that is
safe to lose or to double: the row in SQL decides. Priorities are bands: lists beside the queue's own, popped in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.conf import settings as django_settings
from redis import Redis
from rq import Queue as RQQueue

from .lines import connect, line

PREFIX = "dj:"
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


def band(queue: str, priority: int) -> str:
    """Name of the list in which a job of that priority waits."""
    return queue + next(suffix for lowest, suffix in BANDS if priority >= lowest)


def key(name: str) -> str:
    return RQQueue.redis_queue_namespace_prefix + name


def keys_of(queues: Iterable[str], address: str) -> list[str]:
    """The Redis lists that a server at that address pops, in order: by queue, then band, its own bells before all's."""
    return [
        key(queue + at + suffix)
        for queue in queues
        for _, suffix in BANDS
        for at in ((f"@{address}", "") if address else ("",))
    ]


def names() -> list[str]:
    """The site's queues, in the order of ``RQ_QUEUES``."""
    return list(getattr(django_settings, "RQ_QUEUES", None) or {})


def ring(bells: Iterable[tuple[int, str, int]], *, front: bool = False, address: str = "") -> bool:
    """Push a bell for each (id, queue, priority); whether all of them arrived. Never raises for a Redis that is away.

    Those of queues that this process does not know are not rung.
    `address` is where only the servers that publish it listen; `front` puts the bells before those that wait.
    """
    lists: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for job_id, queue, priority in bells:
        name = band(queue + (f"@{address}" if address else ""), priority)
        lists[queue][name].append(f"{PREFIX}{job_id}")
    arrived = [queue in django_settings.RQ_QUEUES and _push(queue, named, front) for queue, named in lists.items()]
    return all(arrived)


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
        if is_bell(entry):
            ours.append(int(entry[len(PREFIX) :]))
        else:
            foreign.append(entry)
    return ours, foreign


def portion(entries: Sequence[str]) -> tuple[list[int], list[str], list[str]]:
    """What to take of popped entries in their order: the bells in front, or one of RQ's own jobs; and the rest.

    The rest goes back before anything runs: an entry of RQ's that is only in our memory would die with us.
    """
    end = next((at for at, entry in enumerate(entries) if not is_bell(entry)), len(entries)) or 1
    return (*split(entries[:end]), list(entries[end:]))


def is_bell(entry: str) -> bool:
    return entry.startswith(PREFIX) and entry[len(PREFIX) :].isdecimal()


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


def rung(queue: str, addresses: Iterable[str] = ()) -> bool:
    """Whether Redis has any bell (or job of RQ's own) of the queue, at these addresses too. Raises `Unreachable`."""
    client = connect(queue, timeout=2.0)
    try:
        names = {name for address in ("", *addresses) for name in keys_of([queue], address)}
        return bool(client.exists(*names))
    finally:
        client.close()


def forget_addresses(queue: str, alive: Iterable[str]) -> None:
    """Remove the lists at addresses where no server listens any more; the sweep rings again. Raises `Unreachable`."""
    kept = set(alive)
    own = {*keys_of(names(), "")}  # a queue's own name may have an @ in it
    client = connect(queue, timeout=5.0)
    try:
        for name in {*map(_text, client.smembers(RQQueue.redis_queues_keys))} - own:
            mine, _, address = name.removeprefix(key("")).partition("@")
            if mine == queue and address and address.partition(":")[0] not in kept:
                client.srem(RQQueue.redis_queues_keys, name)
                client.delete(name)
    finally:
        client.close()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
