"""Edges of the graph: what a new job waits for, checked at the door and stored beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from ..conf import settings
from ..exceptions import InvalidJob
from ..models import Batch, Job, JobDependency
from ..states import AWAITING, FAILED
from ..states.moves import SET_SIZE
from . import continuations


@dataclass(frozen=True)
class Awaited:
    """What jobs wait for."""

    jobs: tuple[int, ...]
    batches: tuple[int, ...]
    on: str
    reason: str


PREDECESSOR = Awaited((), (), JobDependency.On.SUCCEEDED, "")
"""What a link of a chain waits for, while nobody knows the id of the one before."""
ENDINGS = tuple(JobDependency.On.values)
Terms = tuple[float | None, float | None]
"""Seconds from the release until a job is due, and from when it is due until it expires."""


def edges() -> QuerySet[JobDependency]:
    return JobDependency.objects.using(settings.DATABASE)


def awaited(after: Any, on: str) -> Awaited | None:
    """The jobs and batches of `after`, checked; None where there are none. Raises InvalidJob."""
    if on not in ENDINGS:
        raise InvalidJob("on", f"is {on!r}; give {', '.join(map(repr, ENDINGS))}")
    given = list(after) if isinstance(after, Iterable) else [after]
    if not given:
        return None
    for one in given:
        if not isinstance(one, Job | Batch) or one.pk is None:
            raise InvalidJob("after", f"has {one!r:.100}; give stored jobs and batches")
    jobs = tuple(dict.fromkeys(one.pk for one in given if isinstance(one, Job)))
    batches = tuple(dict.fromkeys(one.pk for one in given if isinstance(one, Batch)))
    failed = _check_stored(jobs, batches)
    return Awaited(jobs, batches, on, continuations.reason(jobs, batches, failed))


def terms(run_after: Any, expires: Any) -> Terms:
    """What counts from the release: spans of time do, moments do not."""
    return _seconds(run_after), _seconds(expires)


def _seconds(span: Any) -> float | None:
    return span.total_seconds() if isinstance(span, timedelta) else None


def waiting(what: Awaited, terms: Terms) -> dict[str, Any]:
    """The columns of a new job that waits."""
    delay, expires = terms
    columns: dict[str, Any] = {"state": AWAITING, "created_state": AWAITING, "state_reason": what.reason}
    columns |= {"scheduled_at": None} if delay is not None else {}
    return columns | ({"start_before": None} if expires is not None else {})


def _check_stored(jobs: Sequence[int], batches: Sequence[int]) -> list[int]:
    """Raises InvalidJob for the first that is not; returns the jobs that are Failed now."""
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=jobs) if jobs else Job.objects.none()
    states = dict(rows.values_list("pk", "state"))
    found = Batch.objects.using(settings.DATABASE).filter(pk__in=batches) if batches else Batch.objects.none()
    stored = set(found.values_list("pk", flat=True))
    missing = [f"job #{pk}" for pk in jobs if pk not in states] + [f"batch #{pk}" for pk in batches if pk not in stored]
    if missing:
        raise InvalidJob("after", f"has {missing[0]}, which is not stored (any more)")
    return [pk for pk in jobs if states[pk] == FAILED]


def draw(children: Collection[Job], what: Awaited) -> None:
    """Store the edges in the caller's transaction; after its commit look whether something has ended meanwhile."""
    parents = [*({"parent_id": pk} for pk in what.jobs), *({"batch_id": pk} for pk in what.batches)]
    rows = [
        JobDependency(child=child, on=what.on, delay=child.terms[0], expires=child.terms[1], **parent)
        for child in children
        for parent in parents
    ]
    edges().bulk_create(rows, batch_size=SET_SIZE)
    ids = [child.pk for child in children]
    transaction.on_commit(
        lambda: continuations.look(what.jobs, what.batches, ids), using=settings.DATABASE, robust=True
    )


def follow(pairs: Iterable[tuple[Job, int, str]]) -> None:
    """Store edges between jobs of one transaction: child, parent's id and condition. Nobody can have seen them yet."""
    rows = [
        JobDependency(child=child, parent_id=parent, on=on, delay=child.terms[0], expires=child.terms[1])
        for child, parent, on in pairs
    ]
    edges().bulk_create(rows, batch_size=SET_SIZE)


def refuse_cycle(what: Awaited, batches: Collection[int]) -> None:
    """Raises InvalidJob where a member of these batches would wait for one of them, however many stand between."""
    jobs, wholes = set(what.jobs), set(what.batches)
    seen: set[tuple[str, int]] = set()
    while batches and (jobs or wholes):
        if found := wholes & set(batches):
            raise InvalidJob("after", f"leads to batch #{min(found)}, which would wait for its own member")
        seen |= {("job", pk) for pk in jobs} | {("batch", pk) for pk in wholes}
        theirs = Q(child__in=jobs) | Q(child__batch__in=wholes)
        rows = list(edges().filter(theirs, met=None).values_list("parent_id", "batch_id").distinct())
        parts = Batch.objects.using(settings.DATABASE).filter(parent__in=wholes).values_list("pk", flat=True)
        wholes = {pk for pk in [*parts, *(batch for _, batch in rows if batch)] if ("batch", pk) not in seen}
        jobs = {job for job, _ in rows if job and ("job", job) not in seen}


def results(child: int) -> list[Any]:
    """The results of the jobs that a job waited for, in the order in which they were named."""
    theirs = edges().filter(child=child, parent__isnull=False).order_by("id")
    return list(theirs.values_list("parent__result", flat=True))
