"""One move of one set: lock the rows, then write state, history and counters in one transaction."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import DateTimeField, Q, Value
from django.db.models.functions import Coalesce

from .. import clock
from ..call import clean_text
from ..conf import settings
from ..exceptions import FilterFailed
from ..models import Counter, Job, JobState
from ..queues import Order
from ..registry import registry
from ..transactions import atomic
from . import DELETED, ENDED, ENQUEUED, FAILED, FINAL, PAUSED, PROCESSING, SCHEDULED, elections, filters
from .deadlocks import again_after_deadlock
from .effects import ring, tell
from .elections import Election, Step
from .filters import Change
from .patience import patience

SET_SIZE = 1000
"""Most rows that one statement locks: other writers wait for it no longer than that takes."""

PAUSING = "Pausing"
"""How the reason of a job begins that runs and was asked to pause."""
COLUMNS = (
    *("id", "queue", "priority", "state", "run", "job_type", "batch_id", "worker", "asked", "state_reason"),
    *("limited", "unique_key"),
)


class Moved(NamedTuple):
    """A job that a move took along, and the state it left."""

    id: int
    queue: str
    priority: int
    was: str
    run: int
    job_type: str
    batch: int | None
    worker: str
    asked: str
    reason: str
    limited: bool
    unique_key: str
    state: str = ""
    """The state that it ended in: filters may have chosen another than the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a move leads: the state, what the history says of it, and other columns that change with it."""

    state: str
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    began: bool = True
    """False where claimed jobs go back before their functions were called."""


def parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(items), SET_SIZE):
        yield list(items[start : start + SET_SIZE])


class How(NamedTuple):
    """How a move is made: see `move_set`."""

    wait: bool
    order: Sequence[str] = ("id",)
    limit: int | None = None
    runs: dict[int, int] | None = None
    front: bool = False
    only_ours: bool = False
    passing: bool = False


def move_set(
    which: Q,
    target: Target,
    *,
    wait: bool,
    order: Sequence[str] = ("id",),
    limit: int | None = None,
    runs: dict[int, int] | None = None,
    front: bool = False,
    only_ours: bool = False,
    strict: bool = False,
) -> list[Moved]:
    """Lock the rows in one order, then write what was locked: state, history and counters in one transaction.

    A filter that raises is asked again, for its own job alone, when that is next to be moved; in the end the job is
    Failed. `strict` is for who can be told: FilterFailed is raised, and nothing has changed. `only_ours` asks none of
    the site's.
    """
    how = How(wait, order, limit, runs, front, only_ours)
    if strict:
        return _move(which, target, how)
    if waiting := patience.waiting():
        which &= ~Q(pk__in=waiting)
    try:
        return _move(which, target, how)
    except FilterFailed as failure:
        return _part_by_part(which, target, how._replace(limit=None), failure)


def _part_by_part(which: Q, target: Target, how: How, failure: FilterFailed) -> list[Moved]:
    """Halve the set until the job is alone for which a filter raises."""
    ids = failure.ids
    if len(ids) == 1:
        if patience.spend(ids[0], failure) is None:
            return _move(which & Q(pk__in=ids), given_up(failure), how._replace(only_ours=True))
        return []
    moved: list[Moved] = []
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        try:
            moved += _move(which & Q(pk__in=half), target, how)
        except FilterFailed as again:
            moved += _part_by_part(which, target, how, again)
    return moved


def given_up(failure: FilterFailed) -> Target:
    """Where a job goes whose filter raised too often."""
    return Target(FAILED, failure.reason, {"exception": failure.kind, "message": clean_text(failure.message)[:2000]})


@again_after_deadlock
def _move(which: Q, target: Target, how: How) -> list[Moved]:
    now = clock.now()
    with atomic():
        jobs = Job.objects.using(settings.DATABASE)
        skip = not how.wait and transaction.get_connection(settings.DATABASE).features.has_select_for_update_skip_locked
        rows = jobs.filter(which).order_by(*how.order).select_for_update(skip_locked=skip)
        found = [Moved(*row) for row in rows.values_list(*COLUMNS)[: how.limit]]
        moved = [row for row in found if how.runs is None or how.runs[row.id] == row.run]
        try:
            return [row for steps, group in _elected(moved, target, now, how) for row in _walk(group, steps, now, how)]
        except FilterFailed as failure:
            failure.ids = [row.id for row in moved]
            raise


def _elected(moved: list[Moved], target: Target, now: datetime, how: How) -> Iterator[tuple[list[Target], list[Moved]]]:
    """The targets to go through, one after the other, with those that go there: filters may have another for some."""
    if how.only_ours or not elections.concerned({row.job_type for row in moved}, target.state):
        yield [target], moved
        return
    groups: dict[tuple[Step, ...], list[Moved]] = {}
    step = Step(target.state, target.reason)
    for row in moved:
        election = Election(row.id, row.job_type, row.queue, was=row.was, step=step, run=row.run, now=now)
        groups.setdefault(election.hold(), []).append(row)
    for steps, group in groups.items():
        aims = [target if at == step else _instead(at, target, first=at is steps[0]) for at in steps]
        yield aims, group


def _instead(step: Step, target: Target, *, first: bool) -> Target:
    """The target that a filter chose. What the move changes besides, the number of deaths say, is changed once."""
    columns = dict(target.columns) if first else {}
    if step.state in ENDED:
        columns.pop("finished_at", None)
    if step.state == SCHEDULED:
        columns |= {"scheduled_at": step.at, "start_before": None}
    return Target(step.state, step.reason, {"instead_of": target.state}, columns)


def _walk(moved: list[Moved], steps: list[Target], now: datetime, how: How) -> list[Moved]:
    """Go through the targets; returns the jobs with the state that they ended in."""
    left = {row.id: row.was for row in moved}
    for target in steps:
        moved = _willing(moved, target, how)
        aims = list(_aims(moved, target))
        for aim, group in aims:
            _write(group, aim, now, how._replace(passing=target is not steps[-1]))
        moved = [row._replace(was=aim.state, state=aim.state) for aim, group in aims for row in group]
    return [row._replace(was=left[row.id]) for row in moved]


def _willing(moved: list[Moved], target: Target, how: How) -> list[Moved]:
    """Without those that our policies refuse: a unique key may be taken by now."""
    if not any(row.unique_key for row in moved):
        return moved
    refused = filters.refused([_change(row, target, how) for row in moved if row.unique_key])
    return [row for row in moved if row.id not in refused]


def _aims(moved: list[Moved], target: Target) -> Iterator[tuple[Target, list[Moved]]]:
    """The target for most; a run that goes on may need another.

    One that was asked to pause does so where it would wait again. One whose job is deleted is marked as still running
    until its worker says otherwise.
    """
    usual: list[Moved] = []
    ending: list[Moved] = []
    pausing: dict[str, list[Moved]] = {}
    for row in moved:
        if row.was == PROCESSING and target.state == DELETED:
            ending.append(row)
        elif row.was == PROCESSING and row.asked == "pause" and target.state in (ENQUEUED, SCHEDULED):
            pausing.setdefault(row.reason, []).append(row)
        else:
            usual.append(row)
    if usual:
        yield target, usual
    if ending:
        word = "kill" if target.data.get("forced") else "cancel"
        yield replace(target, columns={**target.columns, "asked": word}), ending
    for reason, group in pausing.items():
        columns = {**target.columns, "asked": "", "paused_from": target.state}
        yield replace(target, state=PAUSED, reason=reason.replace(PAUSING, "Paused", 1), columns=columns), group


def _write(moved: list[Moved], target: Target, now: datetime, how: How) -> None:
    jobs = Job.objects.using(settings.DATABASE)
    for keep, ids in _by_retention(moved, target.state).items():
        jobs.filter(pk__in=ids).update(**_columns(target, now, keep))
    _note(moved, target, now)
    _count(moved, target.state, now)
    filters.apply([_change(row, target, how) for row in moved], only_ours=how.only_ours)
    if target.state == ENQUEUED:
        ring([(row.id, row.queue, row.priority) for row in moved], front=how.front)
    if target.state == DELETED and "asked" in target.columns:
        tell(Order(target.columns["asked"], row.queue, row.worker, row.id, row.run) for row in moved)


def _change(row: Moved, target: Target, how: How) -> Change:
    entered = (target.state, row.run, target.reason)
    facts = (row.id, row.job_type, row.queue, row.was, *entered, row.batch, how.passing)
    return Change(*facts, limited=row.limited, keyed=bool(row.unique_key), began=target.began)


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
