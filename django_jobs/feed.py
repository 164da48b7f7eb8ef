"""What has happened to jobs, creations and changes of state, in the order in which it became visible.

Ids are given out before their rows are committed, so a lower id may appear after a higher one. Whoever reads on keeps
the ids that were missing, for a while, and looks for them again: nothing is lost and nothing comes twice.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connections
from django.db.models import Model, Q

from . import clock
from .conf import settings
from .models import Job, JobState

PATIENCE = 300
"""Seconds for which a missing id is looked for: longer transactions are not seen by who was reading on."""
YOUNG = 3
"""Seconds for which it is looked for each time; later only now and then."""
MOST_GAPS = 400
MOST_WRITTEN = 40
"""Most gaps of a place as text. More are joined, and what was between them comes a second time."""
BACK = 200
"""How many of the last ids are looked at for gaps where somebody begins to read."""

_GAPS = r"((?:~[0-9]{1,18}-[0-9]{1,18}-[0-9]{1,12}){0,40})"
_PLACE = re.compile(rf"([0-9]{{1,18}}){_GAPS}\.([0-9]{{1,18}}){_GAPS}")


class Gap(NamedTuple):
    """Ids that were not there although higher ones were, and since when, in seconds."""

    first: int
    last: int
    since: int


@dataclass(frozen=True)
class Mark:
    """How far one table was read: to `high`, but for the gaps."""

    high: int = 0
    gaps: tuple[Gap, ...] = ()

    def missing(self, since: int = 0) -> Q:
        """Rows that were not read yet; of the gaps those that are no older."""
        wanted = Q(pk__gt=self.high)
        for gap in self.gaps:
            if gap.since >= since:
                wanted |= Q(pk__range=(gap.first, gap.last))
        return wanted

    def after(self, ids: Sequence[int], now: int, patience: int) -> Mark:
        """The mark when these rows, in order, have been read, too."""
        high = max(self.high, ids[-1]) if ids else self.high
        open_ = [*self.gaps, Gap(self.high + 1, high, now)] if high > self.high else self.gaps
        gaps = [left for gap in open_ if gap.since > now - patience for left in _without(gap, ids)]
        return Mark(high, tuple(gaps[-MOST_GAPS:]))

    def __str__(self) -> str:
        gaps = list(self.gaps)
        if (over := len(gaps) - MOST_WRITTEN) > 0:
            gaps[: over + 1] = [Gap(gaps[0].first, gaps[over].last, gaps[over].since)]
        return str(self.high) + "".join(f"~{gap.first}-{gap.last}-{gap.since}" for gap in gaps)


def _without(gap: Gap, ids: Sequence[int]) -> Iterable[Gap]:
    """What is left of a gap."""
    first = gap.first
    for number in ids[bisect_left(ids, gap.first) : bisect_right(ids, gap.last)]:
        if number > first:
            yield Gap(first, number - 1, gap.since)
        first = number + 1
    if first <= gap.last:
        yield Gap(first, gap.last, gap.since)


class Place(NamedTuple):
    """Where somebody is who reads on. As text it goes to readers, who come back with it."""

    states: Mark
    jobs: Mark

    def __str__(self) -> str:
        return f"{self.states}.{self.jobs}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """The place that a text names; raises ValueError."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise ValueError("is no place that this stream has named")
        return cls(Mark(int(found[1]), _gaps(found[2])), Mark(int(found[3]), _gaps(found[4])))


def _gaps(text: str) -> tuple[Gap, ...]:
    return tuple(Gap(*map(int, part.split("-"))) for part in text.split("~") if part)


class Event(NamedTuple):
    """A job was created, or entered a state."""

    key: str
    """Of this event alone: ``j7`` for the creation of job 7, ``s9`` for the change with the number 9."""
    job: int
    job_type: str
    queue: str
    user: str
    state: str
    reason: str
    run: int
    at: datetime


def now() -> Place:
    """The place at which all has been read that is there now."""
    return Place(_end(JobState), _end(Job))


def _end(model: type[Model]) -> Mark:
    rows = model._base_manager.using(settings.DATABASE).order_by("-pk")
    ids = sorted(rows.values_list("pk", flat=True)[:BACK])
    return Mark(ids[0] - 1).after(ids, _seconds(), _patience()) if ids else Mark()


def within(place: Place) -> Place:
    """The place, or the end where it lies beyond that: it is of a database that was put back from a copy since."""
    return Place(_within(JobState, place.states), _within(Job, place.jobs))


def _within(model: type[Model], mark: Mark) -> Mark:
    ids = model._base_manager.using(settings.DATABASE).order_by("-pk").values_list("pk", flat=True)
    return mark if mark.high <= (ids.first() or 0) else _end(model)


def _seconds() -> int:
    return int(clock.now().timestamp())


def _patience() -> int:
    """SQLite has one writer at a time: ids become visible in order."""
    return 0 if connections[settings.DATABASE].vendor == "sqlite" else PATIENCE


def read(
    place: Place, *, until: Place | None = None, limit: int = 500, thoroughly: bool = True
) -> tuple[list[Event], Place, bool]:
    """What came after the place, the place then, and whether there is more.

    `until`: only what that place has, too. Not `thoroughly`: old gaps are left for another time.
    """
    at = _seconds()
    since = 0 if thoroughly else at - YOUNG
    # Changes before creations: nobody hears of a change whose job's creation is yet to come.
    states = _states(place.states, until and until.states, limit, since)
    jobs = _jobs(place.jobs, until and until.jobs, limit, since)
    ids = [[int(event.key[1:]) for event in events] for events in (states, jobs)]
    then = Place(place.states.after(ids[0], at, _patience()), place.jobs.after(ids[1], at, _patience()))
    found = sorted(states + jobs, key=lambda event: (event.at, event.job, event.run, event.key[0]))
    return found, then, len(states) == limit or len(jobs) == limit


def _states(mark: Mark, until: Mark | None, limit: int, since: int) -> list[Event]:
    rows = JobState.objects.using(settings.DATABASE).filter(_wanted(mark, until, since)).order_by("pk")
    columns = ("job__job_type", "job__queue", "job__created_by_name", "name", "reason", "run", "created_at")
    return [Event._make((f"s{pk}", *facts)) for pk, *facts in rows.values_list("pk", "job_id", *columns)[:limit]]


def _jobs(mark: Mark, until: Mark | None, limit: int, since: int) -> list[Event]:
    rows = Job.objects.using(settings.DATABASE).filter(_wanted(mark, until, since)).order_by("pk")
    found = rows.values_list("pk", "job_type", "queue", "created_by_name", "created_state", "created_at")
    return [Event._make((f"j{pk}", pk, *facts, "", 0, at)) for pk, *facts, at in found[:limit]]


def _wanted(mark: Mark, until: Mark | None, since: int) -> Q:
    wanted = mark.missing(since)
    if until is not None:
        wanted &= Q(pk__lte=until.high)
        for gap in until.gaps:
            wanted &= ~Q(pk__range=(gap.first, gap.last))
    return wanted
