"""Which ticks of a timetable are due: reckoning only, no rows and no clock.

All times are UTC in here: two times of one zone are compared by their wall clock, which shows an hour twice in autumn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import islice

from .cron import Cron
from .cron.schedule import zone_named

MOMENT = timedelta(microseconds=1)
"""The smallest step of a time: a tick may be exactly now, or exactly at the first moment."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a recurring job runs. Times are aware; `next` and `due` raise CronError for what cannot be read."""

    cron: str
    time_zone: str = "UTC"
    match_both_days: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def zone(self) -> tzinfo:
        return zone_named(self.time_zone)

    def next(self, after: datetime) -> datetime | None:
        """The first tick later than that; None where there is none any more."""
        if self.starts_at is not None and self.starts_at > after:
            after = self.starts_at - MOMENT
        tick = _next(self.cron, self.time_zone, self.match_both_days, after.astimezone(UTC))
        return None if tick is None or (self.ends_at is not None and tick > self.ends_at) else tick

    def runs(self, after: datetime, count: int) -> list[datetime]:
        """The next ticks, at most so many."""
        found: list[datetime] = []
        tick = self.next(after)
        while tick is not None and len(found) < count:
            found.append(tick)
            tick = self.next(tick)
        return found

    def back(self, now: datetime, since: datetime) -> Iterator[datetime]:
        """The ticks from now back to `since`, that one excluded: the latest first."""
        if self.starts_at is not None:
            since = max(since, self.starts_at - MOMENT)
        before = now if self.ends_at is None else min(now, self.ends_at)
        cron = parsed(self.cron, self.time_zone, self.match_both_days)
        tick = cron.previous(before + MOMENT)
        while tick is not None and (at := tick.astimezone(UTC)) > since:
            yield at
            tick = cron.previous(at)


@dataclass(frozen=True, slots=True)
class Due:
    """What a look at a timetable found."""

    ticks: list[datetime]
    """To be made jobs, in order."""
    until: datetime
    """Everything up to here is dealt with."""
    next: datetime | None


def due(
    timetable: Timetable, since: datetime, now: datetime, misfire: str, *, grace: timedelta, limit: int, first: datetime
) -> Due:
    """The ticks after `since` up to now that become jobs, by the policy for missed ones.

    `first` is the first of them. A tick is missed once it is older than `grace`, or another one has followed it.
    relaxed: the latest tick stands for all. strict: each, but the oldest of more than `limit` are dropped.
    skip: the latest, unless it is missed itself.
    """
    following = timetable.next(first)
    if following is None or following > now:  # the usual case: one tick, in time
        ticks, until = [first], first
    else:
        found = list(islice(timetable.back(now, since), limit if misfire == "strict" else 1))
        ticks, until = found[::-1], max([since, *found[:1]])
        following = timetable.next(until)
    if misfire == "skip" and ticks and now - ticks[-1] > grace:
        ticks = []
    return Due(ticks, until, following)


@lru_cache(maxsize=4096)
def parsed(cron: str, time_zone: str, match_both_days: bool) -> Cron:
    """The expression, read once. Raises CronError."""
    return Cron(cron, time_zone, match_both_days=match_both_days)


@lru_cache(maxsize=4096)
def _next(cron: str, time_zone: str, match_both_days: bool, after: datetime) -> datetime | None:
    """Schedules of one expression share their ticks, so that thousands at midnight are reckoned once."""
    tick = parsed(cron, time_zone, match_both_days).next(after)
    return None if tick is None else tick.astimezone(UTC)
