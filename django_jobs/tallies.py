"""Numbers by type and queue: what lives now, and what the history adds up to, with histograms of seconds.

The leader reads the history on from its bookmark and adds to the totals, in one transaction with the bookmark: nothing
is counted twice, and no run costs more than without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Case, F, FloatField, Func, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from . import clock, monitoring, states
from .conf import settings
from .feed import PATIENCE, Gap, Mark
from .models import Bookmark, Job, JobState, RecurringJob, Tally
from .transactions import atomic

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
"""Seconds up to which each bucket reaches; one more has what took longer."""
PAGE = 10_000
ROUNDS = 20
"""Most pages of one round, so that the lease is renewed between two."""
MOST = 10 * PAGE
"""More rows than a page has. With a limit, databases reckon the seconds of each row once, not for each bucket."""
NAME = "tallies"
LIVE = tuple(state for state in states.ALL if state not in states.FINAL)
KINDS = {
    states.PROCESSING: Tally.Kind.WAIT,
    states.SUCCEEDED: Tally.Kind.SUCCEEDED,
    states.FAILED: Tally.Kind.FAILED,
    states.DELETED: Tally.Kind.DELETED,
}
BUCKET = "".join(f" WHEN s <= {bound} THEN {place}" for place, bound in enumerate(BOUNDS))
SUMS = """
    SELECT t, q, k, CASE WHEN s IS NULL THEN -1 {bucket} ELSE {last} END, COUNT(*), COALESCE(SUM(s), 0)
    FROM ({inner}) read_rows GROUP BY 1, 2, 3, 4""".replace("{bucket}", BUCKET).replace("{last}", str(len(BOUNDS)))
COUNTS = "SELECT t, q, COUNT(*) FROM ({inner}) live_rows GROUP BY 1, 2"

Key = tuple[str, str, str]


class Seconds(Func):
    """The seconds from one time to another."""

    output_field = FloatField()
    template = "(julianday(%(expressions)s)) * 86400.0"
    arg_joiner = ") - julianday("

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="EXTRACT(EPOCH FROM (%(expressions)s))", arg_joiner=" - ")

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        until, since = self.get_source_expressions()
        turned = Func(since, until, output_field=FloatField())
        return turned.as_sql(compiler, connection, template="TIMESTAMPDIFF(MICROSECOND, %(expressions)s) / 1000000.0")


class Live(NamedTuple):
    """How many jobs of a type are in a state and queue."""

    job_type: str
    queue: str
    state: str
    number: int


def live() -> tuple[list[Live], set[str]]:
    """The jobs in states that jobs leave, and the states of which only the first `CAP` were counted."""
    found: list[Live] = []
    for state in LIVE:
        rows = monitoring.jobs().filter(state=state).order_by("id").values(t=F("job_type"), q=F("queue"))
        counted = _ask(COUNTS, rows[: monitoring.CAP])
        found += [Live(job_type, queue, state, number) for job_type, queue, number in counted]
    sums = {state: sum(one.number for one in found if one.state == state) for state in LIVE}
    return found, {state for state, number in sums.items() if number >= monitoring.CAP}


def totals() -> list[Tally]:
    """All that the history adds up to, by type and queue."""
    return list(Tally.objects.using(settings.DATABASE).order_by("job_type", "queue", "kind"))


def add_up() -> float | None:
    """Add what the history has beyond the bookmark; returns 0 when more is waiting."""
    full = all(_read_page() for _ in range(ROUNDS))
    return 0.0 if full else None


def _read_page() -> bool:
    """Read one page and move the bookmark, or neither; whether there may be more."""
    alias = settings.DATABASE
    with atomic():
        bookmarks = Bookmark.objects.using(alias)
        bookmarks.get_or_create(name=NAME, defaults={"place": "[0, []]"})
        place = bookmarks.select_for_update().values_list("place", flat=True).get(name=NAME)
        high, gaps = json.loads(place)
        mark = Mark(high, tuple(Gap(*gap) for gap in gaps))
        then, more = _next(mark)
        if then.high > high or gaps:
            _add(_beyond(mark) & _seen(then))
            bookmarks.filter(name=NAME).update(place=json.dumps([then.high, then.gaps]))
    return more


def _next(mark: Mark) -> tuple[Mark, bool]:
    """The mark behind the next page, and whether there is more. Ids are looked at only where some are missing."""
    last = _history().order_by("-pk").values_list("pk", flat=True).first() or 0
    first = _history().filter(pk__gt=mark.high).order_by("pk").values_list("pk", flat=True).first() or mark.high + 1
    page, more = Q(pk__gt=mark.high, pk__lt=first + PAGE), last >= first + PAGE
    if more and not mark.gaps and first == mark.high + 1 and _history().filter(page).count() == PAGE:
        return Mark(mark.high + PAGE), True
    rows = _history().filter(_beyond(mark) & (page | Q(pk__lte=mark.high))).order_by("pk")
    return _after(mark, list(rows.values_list("pk", flat=True))), more


def _history() -> QuerySet[JobState]:
    return JobState.objects.using(settings.DATABASE)


def _beyond(mark: Mark) -> Q:
    """What was not read yet. The lower bound lets every database begin there."""
    lowest = min([mark.high + 1, *(gap.first for gap in mark.gaps)])
    return Q(pk__gte=lowest) & mark.missing()


def _seen(mark: Mark) -> Q:
    """What the mark has. A row that appears in one of its gaps meanwhile is left for the next look."""
    seen = Q(pk__lte=mark.high)
    for gap in mark.gaps:
        seen &= ~Q(pk__range=(gap.first, gap.last))
    return seen


def _after(mark: Mark, ids: Sequence[int]) -> Mark:
    """The mark behind these. What is missing among old rows was deleted: nobody waits for it."""
    now = clock.now()
    newest = _history().filter(pk=ids[-1]).values_list("created_at", flat=True).first() if ids else None
    old = newest is not None and newest < now - timedelta(seconds=PATIENCE)
    single_writer = connections[settings.DATABASE].vendor == "sqlite"
    return mark.after(ids, int(now.timestamp()), 0 if old or single_writer else PATIENCE)


def _add(wanted: Q) -> None:
    sums: dict[Key, Tally] = {}
    for job_type, queue, kind, bucket, number, seconds in _sums(wanted):
        tally = sums.setdefault(_key(job_type, queue, kind), _empty(job_type, queue, kind))
        tally.number += number
        tally.seconds += max(0.0, float(seconds))
        if bucket >= 0:
            tally.buckets[bucket] += number
    _store(sums)


def _empty(job_type: str, queue: str, kind: str) -> Tally:
    return Tally(job_type=job_type, queue=queue, kind=kind, buckets=[0] * (len(BOUNDS) + 1))


def _store(sums: dict[Key, Tally]) -> None:
    tallies = Tally.objects.using(settings.DATABASE)
    known = tallies.filter(job_type__in={tally.job_type for tally in sums.values()})
    changed = [
        (tally, sums.pop(key)) for tally in known if (key := _key(tally.job_type, tally.queue, tally.kind)) in sums
    ]
    for tally, more in changed:
        tally.number += more.number
        tally.seconds += more.seconds
        tally.buckets = [one + other for one, other in zip(tally.buckets, more.buckets, strict=True)]
    tallies.bulk_update([tally for tally, _ in changed], ["number", "seconds", "buckets"], batch_size=200)
    tallies.bulk_create(sums.values())


def _key(job_type: str, queue: str, kind: str) -> Key:
    """What is one row of the table: MariaDB takes names that differ in case for the same."""
    if connections[settings.DATABASE].vendor == "mysql":
        return job_type.casefold(), queue.casefold(), kind
    return job_type, queue, kind


def _sums(wanted: Q) -> Iterator[tuple[str, str, str, int, int, float]]:
    """Type, queue, kind, bucket (-1 for none), number and seconds of what was read."""
    rows = _history().filter(wanted).order_by()
    spent = Case(
        When(name=states.PROCESSING, then=_waited()),
        default=Cast(KeyTextTransform("seconds", "data"), FloatField()),
        output_field=FloatField(),
    )
    named = rows.filter(name__in=KINDS).values(t=F("job__job_type"), q=F("job__queue"), k=F("name"), s=spent)
    for job_type, queue, name, *numbers in _ask(SUMS, named[:MOST]):
        yield job_type, queue, KINDS[name], *numbers
    if RecurringJob.objects.using(settings.DATABASE).exists():
        first = rows.filter(name=states.PROCESSING, run=1, job__tick__isnull=False)
        late = first.values(
            t=F("job__job_type"), q=F("job__queue"), k=F("name"), s=Seconds(F("job__created_at"), F("job__tick"))
        )
        for job_type, queue, _, *numbers in _ask(SUMS, late[:MOST]):
            yield job_type, queue, Tally.Kind.LATE, *numbers


def _waited() -> Case:
    """Seconds from when the job came into its queue until it was claimed."""
    entries = JobState.objects.filter(job=OuterRef("job"), name=states.ENQUEUED, pk__lt=OuterRef("pk"))
    queued = Subquery(entries.order_by("-pk").values("created_at")[:1])
    return Case(
        When(run=1, job__created_state=states.ENQUEUED, then=Seconds(F("created_at"), F("job__created_at"))),
        default=Seconds(F("created_at"), queued),
        output_field=FloatField(),
    )


def _ask(statement: str, inner: QuerySet[Job, Any] | QuerySet[JobState, Any]) -> list[Any]:
    """The answer to a statement around a query. Django's ORM groups no rows that were limited before."""
    sql, values = inner.query.sql_with_params()
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(statement.replace("{inner}", sql), values)
        return list(cursor.fetchall())
