"""The only writer of `Job.state`. Moves are made on sets: many jobs, the states they are expected in, one answer.

A job that was no longer in an expected state is simply not in the answer: a lost race is no exception. Every write is
conditional, and a running job is fenced by its run number besides: a worker that was believed dead cannot overwrite a
newer run.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from django.db import DataError
from django.db.models import F, Q

from .. import signals
from ..conf import settings
from ..exceptions import FilterFailed, JobsError
from ..models import Job
from ..registry import registry
from ..transactions import atomic
from . import ENDED, ENQUEUED, FAILED, MOVES, PROCESSING, SCHEDULED, asking, elections, filters
from .careful import take, together
from .creating import create as create
from .creating import create_unique as create_unique
from .dialects import statements
from .effects import ring
from .filters import Change
from .leading import lead_on
from .moves import SET_SIZE, Moved, Target, given_up, move_set, parts
from .patience import PAUSES, complain, give_up, patience
from .statements import Claimed, Finish, Statements

logger = logging.getLogger("django_jobs.states")

DEATHS = 3
"""Workers that may die under a job before it is quarantined as Failed."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of a set of finished runs.

    `stale` ones had been taken over by a newer run, or ended by somebody; of the `waiting` ones a filter raised.
    """

    done: list[Finish]
    stale: list[Finish]
    waiting: list[Finish] = field(default_factory=list)

    def __add__(self, other: Acknowledged) -> Acknowledged:
        return Acknowledged(self.done + other.done, self.stale + other.stale, self.waiting + other.waiting)


def move(ids: Iterable[int], target: Target, *, expected: Collection[str], strict: bool = True) -> list[Moved]:
    """Move those of the jobs that are in an `expected` state. Rows locked by somebody else are waited for.

    Raises FilterFailed when a filter does (an error of ours as it is); not `strict`: see `move_set`.
    """
    illegal = [state for state in expected if target.state not in MOVES[state]]
    if illegal:
        raise ValueError(f"No job may move from {', '.join(sorted(illegal))} to {target.state}")
    moved: list[Moved] = []
    for part in parts(sorted(set(ids))):
        try:
            moved += move_set(Q(pk__in=part, state__in=expected), target, wait=True, strict=strict)
        except FilterFailed as failure:
            raise failure.__cause__ if isinstance(failure.__cause__, JobsError) else failure from failure
    return moved


def move_due(at: datetime, *, limit: int = SET_SIZE) -> list[Moved]:
    """Enqueue the scheduled jobs whose time has come, at most `limit`; rows that another leader holds are skipped."""
    due = Q(state="scheduled", scheduled_at__lte=at)
    return move_set(due, Target(ENQUEUED, "Its time has come"), wait=False, order=("scheduled_at", "id"), limit=limit)


def give_back(runs: Iterable[tuple[int, int]], worker: str, reason: str) -> list[Moved]:
    """Put claimed jobs back before those that wait, fenced by run number and worker. It counts no attempt."""
    moved: list[Moved] = []
    for part in parts(sorted(runs)):
        numbers = dict(part)
        held = Q(pk__in=list(numbers), state=PROCESSING, worker=worker)
        moved += move_set(held, Target(ENQUEUED, reason, began=False), wait=True, runs=numbers, front=True)
        for job_id in set(numbers) - {row.id for row in moved}:  # cancelled before it began, so nothing of it runs
            asking.settle([job_id], worker, numbers[job_id])
    return moved


def held(runs: Iterable[tuple[int, int]], worker: str) -> set[tuple[int, int]]:
    """Those of the runs, each a job's id and its number, that this worker holds."""
    wanted = set(runs)
    ids = [number for number, _ in wanted]
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=ids, state=PROCESSING, worker=worker)
    return wanted & set(rows.values_list("pk", "run"))


def release(worker: str, reason: str) -> list[Moved]:
    """Put back what a worker holds that is gone, uncounted. It may have begun, and so is not late any more."""
    held = Q(state=PROCESSING, worker=worker)
    target = Target(ENQUEUED, reason, columns={"start_before": None})
    moved: list[Moved] = []
    while part := move_set(held, target, wait=True, limit=SET_SIZE, front=True):
        moved += part
    return moved


def bury(job_id: int, worker: str, reason: str) -> str:
    """Put back the job under which its worker died, or fail it at the last of `DEATHS`; returns its new state.

    Empty when the job is no longer that worker's.
    """
    held = Q(pk=job_id, state=PROCESSING, worker=worker)
    died = F("deaths") + 1
    last = f"{reason}; it is the third worker that died under this job, so it is not tried again"
    with atomic():
        quarantine = Target(FAILED, last, {"deaths": DEATHS, "quarantined": True}, {"deaths": died})
        if last_time := move_set(held & Q(deaths__gte=DEATHS - 1), quarantine, wait=True):
            return last_time[0].state
        again = Target(ENQUEUED, reason, {"death": True}, {"deaths": died, "start_before": None})
        back = move_set(held, again, wait=True)
        return back[0].state if back else ""


def exchange(
    runs: Sequence[Finish], ids: Sequence[int], types: Sequence[str], worker: str
) -> tuple[Acknowledged, list[Claimed]]:
    """Acknowledge the last set and claim the next in one transaction. A claim that fails keeps the acknowledgement."""
    if not runs or not ids or any(run.unsettled for run in runs):
        return acknowledge(runs, worker), claim(ids, types, worker)
    with atomic():
        done = acknowledge(runs, worker)
        try:
            with atomic():
                return done, claim(ids, types, worker)
        except DataError:
            logger.exception("Jobs %s could not be claimed", ids)
            return done, []


def claim(ids: Sequence[int], types: Sequence[str], worker: str) -> list[Claimed]:
    """Take the enqueued ones of `ids` whose type is among `types`; they are Processing and ours from now on."""
    if not ids or not types:
        return []
    store = statements(settings.DATABASE)
    if filters.hear_of_claims(tuple(types)) or signals.state_changed.receivers:
        return _claim_heard(store, [number for number in ids if not patience.waits(number)], types, worker)
    return take(store, ids, types, worker)


def _claim_heard(store: Statements, ids: Sequence[int], types: Sequence[str], worker: str) -> list[Claimed]:
    """Claim jobs whose filters are told. The set is halved until a job is alone for which a filter raises."""
    if not ids:
        return []
    try:
        with atomic():
            claimed = take(store, ids, types, worker)
            filters.apply([_claimed(job) for job in claimed])
            return claimed
    except FilterFailed as failure:
        if len(ids) > 1:
            middle = len(ids) // 2
            halves = (ids[:middle], ids[middle:])
            return [job for half in halves for job in _claim_heard(store, half, types, worker)]
        if patience.spend(ids[0], failure) is None:
            move_set(Q(pk=ids[0], state=ENQUEUED), given_up(failure), wait=True, only_ours=True)
        return []


def _claimed(job: Claimed) -> Change:
    return Change(job.id, job.job_type, job.queue, ENQUEUED, PROCESSING, job.run, "", job.batch)


def acknowledge(runs: Sequence[Finish], worker: str, *, strict: bool = False) -> Acknowledged:
    """Record how runs ended, fenced by run number and worker, with history and counters, in one transaction.

    A set for which a filter raises is halved until the run is alone that it raises for; after its tries it is Failed.
    `strict` raises FilterFailed instead.
    """
    if not runs:
        return Acknowledged([], [])
    try:
        return _acknowledge(runs, worker)
    except FilterFailed as failure:
        if strict:
            raise
        if len(runs) > 1:
            middle = len(runs) // 2
            return acknowledge(runs[:middle], worker) + acknowledge(runs[middle:], worker)
        (run,) = runs
        if run.tries < len(PAUSES):
            complain(run.id, failure, PAUSES[run.tries])
            return Acknowledged([], [], [run._replace(tries=run.tries + 1)])
        give_up(run.id, failure)
        return _acknowledge([_given_up(run, failure)], worker)


def _given_up(run: Finish, failure: FilterFailed) -> Finish:
    """The run as a failure, in place of one that a filter would not let be recorded."""
    target = given_up(failure)
    keep = registry.keep(run.job_type, FAILED)
    failed = run._replace(
        state=FAILED, reason=target.reason[:200], result=None, data=json.dumps(target.data), keep=keep
    )
    return failed._replace(failed=1, then=None, unsettled=None, only_ours=True)


def _acknowledge(runs: Sequence[Finish], worker: str) -> Acknowledged:
    settled = [run if run.unsettled is None else elections.settled(run) for run in runs]
    runs = sorted(settled, key=attrgetter("id"))  # all lock rows in one order, or two who lock several would deadlock
    store = statements(settings.DATABASE)
    done: set[int] = set()
    if alone := [] if signals.heard() else [run for run in runs if _may_be_plain(run)]:
        with together(store):
            done = store.finish(alone, worker, plain=True)
    if rest := [run for run in runs if run.id not in done]:
        done |= _acknowledge_fully(store, rest, worker)
    if missed := [run for run in runs if run.id not in done]:
        done |= _recorded_before(missed, worker)
        for run in missed:
            asking.settle([run.id], worker, run.run)
    return Acknowledged([run for run in runs if run.id in done], [run for run in runs if run.id not in done])


def _may_be_plain(run: Finish) -> bool:
    """Whether the run, by what we know of it without looking, ends and concerns nobody else: the statement decides."""
    alone = run.then is None and run.batch is None and not run.limited and not run.keyed
    ends = run.state in ENDED and alone
    return ends and (run.only_ours or not filters.chosen("applied", run.job_type, run.state))


def _acknowledge_fully(store: Statements, runs: Sequence[Finish], worker: str) -> set[int]:
    """Record ends together with all that follows from them, in one transaction; returns the ids that were recorded."""
    with atomic():
        ended = [run for run in runs if run.state in ENDED]
        done = store.finish(ended, worker, plain=False) if ended else set()
        changes = [_change(run, PROCESSING, run.state, run.reason) for run in ended if run.id in done]
        filters.apply(changes, only_ours=all(run.only_ours for run in runs))
        return done | _follow(runs, done, worker)


def _follow(runs: Sequence[Finish], done: set[int], worker: str) -> set[int]:
    """Lead failed runs on, and put back those that stopped before their end; returns the ids of the latter."""
    leading = [(run, run.then) for run in runs if run.id in done and run.then is not None]
    if leading:
        lead_on(settings.DATABASE, leading)
        filters.apply([_change(run._replace(then=None), run.state, then.state, then.reason) for run, then in leading])
        ring(_bells([run.id for run, then in leading if then.state == ENQUEUED]))
        asking.hold_back([run.id for run, _ in leading])
    aside: list[Moved] = []
    for run in runs:
        if run.state not in ENDED and run.then is not None:
            held = Q(pk=run.id, state=PROCESSING, worker=worker)
            due = {"scheduled_at": run.then.scheduled_at} if run.state == SCHEDULED else {}
            target = Target(run.state, run.reason, {}, {**due, "start_before": None})
            aside += move_set(held, target, wait=True, runs={run.id: run.run}, front=True, strict=True)
    return {row.id for row in aside}


def _change(run: Finish, was: str, state: str, reason: str) -> Change:
    entered = (was, state, run.run, reason)
    facts = (run.id, run.job_type, run.queue, *entered, run.batch, run.then is not None, run)
    return Change(*facts, limited=run.limited, keyed=run.keyed)


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
