"""Counting jobs. No count is unbounded: final states come from counters, others stop at a cap."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import connections
from django.db.models import QuerySet, Sum

from .. import clock, states
from ..conf import settings
from ..models import Counter
from .finding import jobs
from .once import once

CAP = 10_000
COUNTED = "(SELECT COUNT(*) FROM ({}) counted)"
OLDEST = "(SELECT waits.id FROM ({}) waits ORDER BY waits.state_at, waits.id LIMIT 1)"
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Count:
    """A number of jobs; `capped` when there are at least that many."""

    number: int
    capped: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.capped else ''}"


def capped_count(queryset: QuerySet[Any], cap: int = CAP) -> Count:
    """How many rows match, looking at no more than `cap` of them."""
    number = queryset.order_by().values("pk")[:cap].count()
    return Count(number, number >= cap)


def numbers(*parts: tuple[str, QuerySet[Any]]) -> list[Any]:
    """What each part's statement gives, by one statement for all: a column each, of the form around its own."""
    texts: list[str] = []
    values: list[Any] = []
    for form, queryset in parts:
        text, own = queryset.query.get_compiler(settings.DATABASE).as_sql()
        texts.append(form.format(text))
        values += own
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(" ".join(["SELECT", ", ".join(texts)]), values)
        return list(cursor.fetchone())


def capped(queryset: QuerySet[Any], cap: int = CAP) -> tuple[str, QuerySet[Any]]:
    """The part of `numbers` that counts the rows, looking at no more than `cap` of them."""
    return COUNTED, queryset.order_by().values("pk")[:cap]


def capped_counts(querysets: Sequence[QuerySet[Any]], cap: int = CAP) -> list[Count]:
    """How many rows each of these matches, looking at no more than `cap` of each, by one statement."""
    found = numbers(*(capped(queryset, cap) for queryset in querysets)) if querysets else []
    return [Count(number, number >= cap) for number in found]


@once
def counts() -> dict[str, Count]:
    """How many jobs are in each state, in the order of the states."""
    live = [state for state in states.ALL if state not in states.FINAL]
    found = dict(zip(live, capped_counts([jobs().filter(state=state) for state in live]), strict=True))
    sums = totals()
    finals = {state: Count(max(0, sums.get(state, 0) - sums.get(f"{state}.left", 0))) for state in states.FINAL}
    return {state: found.get(state) or finals[state] for state in states.ALL}


@once
def totals() -> dict[str, int]:
    """How often each thing that is counted has happened so far: "succeeded", "failed", "deleted", "retried", …"""
    rows = Counter.objects.using(settings.DATABASE).values_list("name").annotate(total=Sum("value")).order_by()
    return dict(rows)


@dataclass(frozen=True)
class Hour:
    """How many jobs ended in the hour that begins at `at`."""

    STATES: ClassVar = (states.SUCCEEDED, states.FAILED, states.DELETED)

    at: datetime
    succeeded: int = 0
    failed: int = 0
    deleted: int = 0


@once
def _by_hour() -> dict[datetime, dict[str, int]]:
    """What was counted in each hour of the last week."""
    names = [*states.ENDED, "retried"]
    rows = Counter.objects.using(settings.DATABASE).filter(name__in=names, hour__gt=clock.now() - WEEK)
    found: dict[datetime, dict[str, int]] = {}
    for name, hour, total in rows.values_list("name", "hour").annotate(total=Sum("value")).order_by():
        found.setdefault(hour, {})[name] = total
    return found


def hourly(hours: int) -> list[Hour]:
    """What ended in each of the last `hours`, a week at most, the oldest first; the current one comes last."""
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    moments = [now - timedelta(hours=ago) for ago in range(hours - 1, -1, -1)]
    found = _by_hour()
    return [Hour(at, *(found.get(at, {}).get(state, 0) for state in Hour.STATES)) for at in moments]


def throughput(hours: int = 24) -> dict[str, int]:
    """How many jobs succeeded, failed and were deleted in the last `hours`, the current hour included."""
    since = clock.now() - timedelta(hours=hours)
    rows = (
        Counter.objects.using(settings.DATABASE)
        .filter(name__in=states.ENDED, hour__gt=since)
        .values_list("name")
        .annotate(total=Sum("value"))
        .order_by()
    )
    return dict.fromkeys(sorted(states.ENDED), 0) | dict(rows)


def failing_runs(hours: int) -> tuple[int, int]:
    """How many runs failed in the last `hours`, those that were tried again included, and how many ended at all.

    A week at most.
    """
    since = clock.now() - timedelta(hours=hours)
    sums: Tally[str] = Tally()
    for hour, counted in _by_hour().items():
        if hour > since:
            sums.update(counted)
    failed = sums["failed"] + sums["retried"]
    return failed, failed + sums["succeeded"]
