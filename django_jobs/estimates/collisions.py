"""Recurring jobs that will be in each other's way: at some time more of them want to run than there are slots."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from .. import clock, monitoring
from ..conf import settings
from ..exceptions import CronError
from ..models import RecurringJob
from .lasting import Lasting, lasting

MOST = 5000
"""Most runs that are looked at."""
EACH = 300
"""Most runs of one schedule."""
SCHEDULES = 1000
NOTICED = 1.0
"""Seconds of delay from which a run counts as held up."""


@dataclass(frozen=True)
class Collision:
    """Runs that have to wait for each other, or for an earlier run of themselves."""

    at: datetime
    queue: str
    schedules: tuple[str, ...]
    """Ids of the recurring jobs that want to run then, sorted."""
    slots: int
    delay: float
    """Seconds by which the last of them is held up, by the usual run times."""


class Tick(NamedTuple):
    """A run to come."""

    at: datetime
    queue: str
    schedule: str
    seconds: float


def collisions(hours: float = 24) -> list[Collision]:
    """What will collide in the next hours, the earliest first, each set of schedules once with its worst time.

    Only runs of recurring jobs are looked at, and only those of types whose run times are known.
    """
    worst: dict[tuple[str, tuple[str, ...]], Collision] = {}
    by_queue: dict[str, list[Tick]] = {}
    for tick in _ticks(hours):
        by_queue.setdefault(tick.queue, []).append(tick)
    slots = _slots()
    for queue, ticks in by_queue.items():
        for found in _held_up(ticks, slots.get(queue, 1)):
            known = worst.get((queue, found.schedules))
            if known is None or found.delay > known.delay:
                worst[queue, found.schedules] = found
    return sorted(worst.values(), key=lambda one: (one.at, one.queue, one.schedules))


def _slots() -> dict[str, int]:
    """By queue, one at least; a queue that nobody takes is not among them."""
    found: dict[str, int] = {}
    for slots, taken in monitoring.live_servers().filter(wanted="").values_list("slots", "queues"):
        for queue in set(taken):
            found[queue] = found.get(queue, 0) + slots
    return {queue: max(1, slots) for queue, slots in found.items()}


def _ticks(hours: float) -> list[Tick]:
    """The runs to come, in order."""
    now = clock.now()
    until = now + timedelta(hours=hours)
    rows = RecurringJob.objects.using(settings.DATABASE).filter(enabled=True, next_run__lt=until, error="")
    found = list(rows.order_by("next_run")[:SCHEDULES])
    known = lasting({row.job_type for row in found})
    ticks = [tick for row in found if row.job_type in known for tick in _of(row, known[row.job_type], now, until)]
    return sorted(ticks)[:MOST]


def _of(row: RecurringJob, known: Lasting, now: datetime, until: datetime) -> Iterator[Tick]:
    """None of one that is broken, though no scheduler has come upon that yet."""
    with suppress(CronError):
        for at in row.timetable.runs(now, EACH):
            if at >= until:
                return
            yield Tick(at, row.queue, row.pk, known.mean)


def _held_up(ticks: list[Tick], slots: int) -> Iterator[Collision]:
    """Follow the slots through the runs of a queue; runs that have to wait for one end up in a collision."""
    ends: list[tuple[datetime, str]] = []
    group: set[str] = set()
    first, delay = ticks[0].at, 0.0
    for tick in ticks:
        while ends and ends[0][0] <= tick.at:
            heapq.heappop(ends)
        waits = len(ends) >= slots
        begins = max(tick.at, heapq.nsmallest(len(ends) - slots + 1, ends)[-1][0]) if waits else tick.at
        held = (begins - tick.at).total_seconds()
        if group and held <= NOTICED:
            yield Collision(first, tick.queue, tuple(sorted(group)), slots, round(delay, 3))
            group, delay = set(), 0.0
        if held > NOTICED:
            first = first if group else tick.at
            group |= {tick.schedule, *(name for _, name in ends)}
            delay = max(delay, held)
        heapq.heappush(ends, (begins + timedelta(seconds=tick.seconds), tick.schedule))
    if group:
        yield Collision(first, ticks[0].queue, tuple(sorted(group)), slots, round(delay, 3))
