"""The only writer of `Job.state`. Moves are made on sets: many jobs, the states they are expected in, one answer.

A job that was no longer in an expected state is simply not in the answer: a lost race is no exception. Every write is
conditional, and a running job is fenced by its run number besides: a worker that was believed dead cannot overwrite a
newer run.
"""

from __future__ import annotations

import logging
from collections import Counter as Tally
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import DataError, transaction
from django.db.models import DateTimeField, F, Q, Value
from django.db.models.functions import Coalesce

from .. import clock
from ..conf import settings
from ..models import Counter, Job, JobState
from ..registry import registry
from . import ENDED, ENQUEUED, FAILED, FINAL, MOVES, PROCESSING, SCHEDULED
from .effects import ring
from .leading import lead_on
from .statements import Claimed, Finish, Statements, statements

logger = logging.getLogger("django_jobs.states")

SET_SIZE = 1000
"""Most rows that one statement locks: other writers wait for it no longer than that takes."""

DEATHS = 3
"""Workers that may die under a job before it is quarantined as Failed."""


class Moved(NamedTuple):
    """A job that a move took along, and the state it left."""

    id: int
    queue: str
    priority: int
    was: str
    run: int
    job_type: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a move leads: the state, what the history says of it, and other columns that change with it."""

    state: str
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of a set of finished runs: `stale` ones had been taken over by a newer run, or ended by somebody."""

    done: list[Finish]
    stale: list[Finish]


def create(jobs: Sequence[Job]) -> Sequence[Job]:
    """Store new jobs in the caller's transaction, and ring for the enqueued ones once it commits."""
    alias = settings.DATABASE
    if len(jobs) == 1:
        jobs[0].save(using=alias, force_insert=True)
    else:
        Job.objects.using(alias).bulk_create(jobs, batch_size=SET_SIZE)
    ring([(job.pk, job.queue, job.priority) for job in jobs if job.state == ENQUEUED])
    return jobs


def move(ids: Iterable[int], target: Target, *, expected: Collection[str]) -> list[Moved]:
    """Move those of the jobs that are in an `expected` state. Rows locked by somebody else are waited for."""
    illegal = [state for state in expected if target.state not in MOVES[state]]
    if illegal:
        raise ValueError(f"No job may move from {', '.join(sorted(illegal))} to {target.state}")
    moved: list[Moved] = []
    for part in _parts(sorted(set(ids))):
        moved += _move_set(Q(pk__in=part, state__in=expected), target, wait=True)
    return moved


def move_due(at: datetime, *, limit: int = SET_SIZE) -> list[Moved]:
    """Enqueue the scheduled jobs whose time has come, at most `limit`; rows that another leader holds are skipped."""
    due = Q(state="scheduled", scheduled_at__lte=at)
    return _move_set(due, Target(ENQUEUED, "Its time has come"), wait=False, order=("scheduled_at", "id"), limit=limit)


def give_back(runs: Iterable[tuple[int, int]], worker: str, reason: str) -> list[Moved]:
    """Put claimed jobs back before those that wait, fenced by run number and worker. It counts no attempt."""
    moved: list[Moved] = []
    for part in _parts(sorted(runs)):
        numbers = dict(part)
        held = Q(pk__in=list(numbers), state=PROCESSING, worker=worker)
        moved += _move_set(held, Target(ENQUEUED, reason), wait=True, runs=numbers, front=True)
    return moved


def release(worker: str, reason: str, *, among: Sequence[int] | None = None) -> list[Moved]:
    """Put back what a worker holds that is gone (or of that, what is `among` some ids). It counts no attempt."""
    held = Q(state=PROCESSING, worker=worker)
    if among is not None:
        held &= Q(pk__in=among)
    moved: list[Moved] = []
    while part := _move_set(held, Target(ENQUEUED, reason), wait=True, limit=SET_SIZE, front=True):
        moved += part
    return moved


def bury(job_id: int, worker: str, reason: str) -> str:
    """Put back the job under which its worker died, or fail it at the last of `DEATHS`; returns its new state.

    Empty when the job is no longer that worker's.
    """
    held = Q(pk=job_id, state=PROCESSING, worker=worker)
    died = F("deaths") + 1
    last = f"{reason}; it is the third worker that died under this job, so it is not tried again"
    with transaction.atomic(using=settings.DATABASE):
        quarantine = Target(FAILED, last, {"deaths": DEATHS, "quarantined": True}, {"deaths": died})
        if _move_set(held & Q(deaths__gte=DEATHS - 1), quarantine, wait=True):
            return FAILED
        again = Target(ENQUEUED, reason, {"death": True}, {"deaths": died, "start_before": None})
        return ENQUEUED if _move_set(held, again, wait=True) else ""


def exchange(
    runs: Sequence[Finish], ids: Sequence[int], types: Sequence[str], worker: str
) -> tuple[Acknowledged, list[Claimed]]:
    """Acknowledge the last set and claim the next in one transaction. A claim that fails keeps the acknowledgement."""
    if not runs or not ids:
        return acknowledge(runs, worker), claim(ids, types, worker)
    with transaction.atomic(using=settings.DATABASE):
        done = acknowledge(runs, worker)
        try:
            with transaction.atomic(using=settings.DATABASE):
                return done, claim(ids, types, worker)
        except DataError:
            logger.exception("Jobs %s could not be claimed", ids)
            return done, []


def claim(ids: Sequence[int], types: Sequence[str], worker: str) -> list[Claimed]:
    """Take the enqueued ones of `ids` whose type is among `types`; they are Processing and ours from now on."""
    if not ids or not types:
        return []
    store = statements(settings.DATABASE)
    with _together(store):
        return store.claim(ids, types, worker, clock.now())


def acknowledge(runs: Sequence[Finish], worker: str) -> Acknowledged:
    """Record how runs ended, fenced by run number and worker, with history and counters, in one transaction."""
    if not runs:
        return Acknowledged([], [])
    store = statements(settings.DATABASE)
    simple = all(run.then is None for run in runs)
    with _together(store) if simple else transaction.atomic(using=settings.DATABASE):
        ended = [run for run in runs if run.state in ENDED]
        done = store.finish(ended, worker) if ended else set()
        if not simple:
            done |= _follow(runs, done, worker)
    missed = [run for run in runs if run.id not in done]
    done |= _recorded_before(missed, worker)
    return Acknowledged([run for run in runs if run.id in done], [run for run in runs if run.id not in done])


def _follow(runs: Sequence[Finish], done: set[int], worker: str) -> set[int]:
    """Lead failed runs on, and put back those that asked to be; returns the ids of the latter."""
    leading = [(run, run.then) for run in runs if run.id in done and run.then is not None]
    if leading:
        lead_on(settings.DATABASE, leading)
        ring(_bells([run.id for run, then in leading if then.state == ENQUEUED]))
    snoozed: list[Moved] = []
    for run in runs:
        if run.state == SCHEDULED and run.then is not None:
            held = Q(pk=run.id, state=PROCESSING, worker=worker)
            later = Target(SCHEDULED, run.reason, {}, {"scheduled_at": run.then.scheduled_at, "start_before": None})
            snoozed += _move_set(held, later, wait=True, runs={run.id: run.run})
    return {row.id for row in snoozed}


def _bells(ids: list[int]) -> list[tuple[int, str, int]]:
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=ids).values_list("pk", "queue", "priority")
    return list(rows) if ids else []


def _recorded_before(runs: list[Finish], worker: str) -> set[int]:
    """Runs whose record was committed by an earlier try, the confirmation of which was lost."""
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=[run.id for run in runs], worker=worker)
    found = set(rows.values_list("pk", "run", "finished_at")) if runs else set()
    return {run.id for run in runs if (run.id, run.run, run.finished_at) in found}


def explain(ids: Sequence[int], reason: str) -> None:
    """Say of enqueued jobs why they wait. It changes no state, and nothing when they have moved on."""
    waiting = Job.objects.using(settings.DATABASE).filter(pk__in=ids, state=ENQUEUED)
    waiting.exclude(state_reason=reason).update(state_reason=reason)


def _together(store: Statements) -> AbstractContextManager[Any]:
    """A transaction around what is more than one statement: a single one needs no BEGIN and COMMIT of its own."""
    return nullcontext() if store.single else transaction.atomic(using=settings.DATABASE)


def _parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), SET_SIZE):
        yield list(items[start : start + SET_SIZE])


def _move_set(
    which: Q,
    target: Target,
    *,
    wait: bool,
    order: Sequence[str] = ("id",),
    limit: int | None = None,
    runs: dict[int, int] | None = None,
    front: bool = False,
) -> list[Moved]:
    """Lock the rows in one order, then write what was locked: state, history and counters in one transaction."""
    now = clock.now()
    with transaction.atomic(using=settings.DATABASE):
        jobs = Job.objects.using(settings.DATABASE)
        skip = not wait and transaction.get_connection(settings.DATABASE).features.has_select_for_update_skip_locked
        rows = jobs.filter(which).order_by(*order).select_for_update(skip_locked=skip)
        found = [Moved(*row) for row in rows.values_list("id", "queue", "priority", "state", "run", "job_type")[:limit]]
        moved = [row for row in found if runs is None or runs[row.id] == row.run]
        if not moved:
            return []
        for keep, ids in _by_retention(moved, target.state).items():
            jobs.filter(pk__in=ids).update(**_columns(target, now, keep))
        _note(moved, target, now)
        _count(moved, target.state, now)
        if target.state == ENQUEUED:
            ring([(row.id, row.queue, row.priority) for row in moved], front=front)
    return moved


def _by_retention(moved: list[Moved], state: str) -> dict[timedelta | None, list[int]]:
    """The ids, by how long they are to be kept: a job type may differ from the others."""
    if state not in ENDED:
        return {None: [row.id for row in moved]}
    groups: dict[timedelta | None, list[int]] = {}
    for row in moved:
        groups.setdefault(registry.keep(row.job_type, state), []).append(row.id)
    return groups


def _columns(target: Target, now: datetime, keep: timedelta | None) -> dict[str, Any]:
    columns = {
        "state": target.state,
        "state_at": now,
        "state_reason": target.reason[:200],
        "expires_at": now + keep if keep is not None else None,
        **target.columns,
    }
    if target.state in ENDED:
        columns.setdefault("finished_at", Coalesce("finished_at", Value(now), output_field=DateTimeField()))
    return columns


def _note(moved: list[Moved], target: Target, now: datetime) -> None:
    JobState.objects.using(settings.DATABASE).bulk_create(
        JobState(
            job_id=row.id,
            name=target.state,
            reason=target.reason[:200],
            created_at=now,
            run=row.run,
            data=target.data,
        )
        for row in moved
    )


def _count(moved: list[Moved], state: str, now: datetime) -> None:
    """Arrivals in an end, and departures from a final state, as deltas: tabs never count final rows."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    deltas = [Counter(name=state, hour=hour, value=len(moved))] if state in ENDED else []
    left = Tally(row.was for row in moved if row.was in FINAL)
    deltas += [Counter(name=f"{was}.left", hour=hour, value=number) for was, number in left.items()]
    if deltas:
        Counter.objects.using(settings.DATABASE).bulk_create(deltas)
