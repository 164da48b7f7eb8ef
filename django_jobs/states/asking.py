"""What people ask of jobs that may be running: to pause, to go on, to end by force.

A job that waits is moved at once. Of one that runs it is noted in its row, and told to its worker; the run answers at
its next checkpoint.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from .. import clock
from ..conf import settings
from ..models import Job
from ..queues import Order
from ..transactions import atomic
from . import AWAITING, DELETED, ENQUEUED, PAUSED, PROCESSING, SCHEDULED
from .deadlocks import again_after_deadlock
from .effects import tell
from .moves import PAUSING, Target, move_set, parts

WAITING = (SCHEDULED, AWAITING, ENQUEUED)

AWAITS = Q(state=AWAITING) | Q(state=PAUSED, paused_from=AWAITING)
"""Jobs that wait for others, also those that were paused meanwhile."""


class _Row(NamedTuple):
    id: int
    state: str
    queue: str
    worker: str
    run: int
    paused_from: str
    scheduled_at: datetime | None


def pause(ids: Iterable[int], by: str, data: dict[str, Any], expected: Collection[str]) -> list[int]:
    """Pause the jobs that wait, and ask those that run; returns the ids of both. `by` ends the reason (" by ada").

    Those in no `expected` state are left alone.
    """
    return [job_id for part in parts(sorted(set(ids))) for job_id in _pause(part, by, data, expected)]


@again_after_deadlock
def _pause(part: list[int], by: str, data: dict[str, Any], expected: Collection[str]) -> list[int]:
    with atomic():
        willing = Q(state__in=WAITING) | Q(state=PROCESSING) & ~Q(asked="pause")
        rows = _lock(Q(pk__in=part, state__in=expected) & willing)
        for state, waiting in _grouped((row.state, row.id) for row in rows if row.state in WAITING).items():
            target = Target(PAUSED, f"Paused{by}", data, {"paused_from": state})
            move_set(Q(pk__in=waiting), target, wait=True, strict=True)
        _note([row for row in rows if row.state == PROCESSING], "pause", f"{PAUSING}{by}")
        return [row.id for row in rows]


def resume(ids: Iterable[int], by: str, data: dict[str, Any], expected: Collection[str]) -> list[int]:
    """Let paused jobs go on to where they were, and running ones go on that were asked to pause; returns the ids.

    Those in no `expected` state are left alone.
    """
    return [job_id for part in parts(sorted(set(ids))) for job_id in _resume(part, by, data, expected)]


@again_after_deadlock
def _resume(part: list[int], by: str, data: dict[str, Any], expected: Collection[str]) -> list[int]:
    now = clock.now()
    with atomic():
        willing = Q(state=PAUSED) | Q(state=PROCESSING, asked="pause")
        rows = _lock(Q(pk__in=part, state__in=expected) & willing)
        paused = ((_target(row, now), row.id) for row in rows if row.state == PAUSED)
        for state, waiting in _grouped(paused).items():
            target = Target(state, f"Resumed{by}", data, {"paused_from": ""})
            move_set(Q(pk__in=waiting), target, wait=True, strict=True)
        _note([row for row in rows if row.state == PROCESSING], "", "")
        return [row.id for row in rows]


def _target(row: _Row, now: datetime) -> str:
    """What a paused job was, unless its time has come meanwhile."""
    if row.paused_from == SCHEDULED and (row.scheduled_at is None or row.scheduled_at <= now):
        return ENQUEUED
    return row.paused_from or ENQUEUED


def end_wait(ids: Collection[int], target: Target, paused: Collection[int]) -> set[int]:
    """Move jobs that need not wait for others any longer; returns the ids of those with which it is done.

    Of these, `paused` ones stay so until they are resumed, unless they are deleted.
    """
    if target.state == DELETED:
        return {row.id for row in move_set(AWAITS & Q(pk__in=ids), target, wait=True)}
    moved = {row.id for row in move_set(Q(pk__in=ids, state=AWAITING), target, wait=True)}
    if staying := [job_id for job_id in ids if job_id in paused]:
        jobs = Job.objects.using(settings.DATABASE).filter(pk__in=staying, state=PAUSED)
        jobs.update(paused_from=target.state, **target.columns)
    return moved.union(staying)


def force(ids: Iterable[int]) -> list[int]:
    """End the workers of jobs that were cancelled while they ran, and run on; returns the ids of those jobs."""
    return [job_id for part in parts(sorted(set(ids))) for job_id in _force(part)]


@again_after_deadlock
def _force(part: list[int]) -> list[int]:
    with atomic():
        rows = _lock(Q(pk__in=part, state=DELETED, asked="cancel"))
        _note(rows, "kill")
        return [row.id for row in rows]


def hold_back(ids: Collection[int]) -> None:
    """Pause those of the jobs, just put back to be tried again, that were asked to while they ran."""
    asked = Q(pk__in=ids, asked="pause", state__in=(SCHEDULED, ENQUEUED))
    columns = {"asked": "", "paused_from": SCHEDULED}  # resuming looks at the time: enqueued once that has come
    move_set(asked, Target(PAUSED, "Paused after a failed attempt", {}, columns), wait=True)


def settle(ids: Collection[int], worker: str, run: int | None = None) -> None:
    """Note that the cancelled runs of a worker have ended: those of that number, or all where the worker is gone."""
    jobs = Job.objects.using(settings.DATABASE).filter(pk__in=ids, worker=worker, state=DELETED)
    jobs = jobs if run is None else jobs.filter(run=run)
    jobs.exclude(asked="").update(asked="")


def condemned(ids: Collection[int]) -> dict[int, str]:
    """Of running jobs: those whose worker is to be ended by force, with its name."""
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=ids, state=DELETED, asked="kill")
    return dict(rows.values_list("pk", "worker"))


def _lock(which: Q) -> list[_Row]:
    rows = Job.objects.using(settings.DATABASE).filter(which).order_by("id").select_for_update()
    return [_Row(*row) for row in rows.values_list(*_Row._fields)]


def _note(rows: list[_Row], asked: str, reason: str | None = None) -> None:
    """Write what is asked of running jobs, and tell their workers once that is committed."""
    columns = {"asked": asked} if reason is None else {"asked": asked, "state_reason": reason[:200]}
    if rows:
        Job.objects.using(settings.DATABASE).filter(pk__in=[row.id for row in rows]).update(**columns)
        tell(Order(asked or "resume", row.queue, row.worker, row.id, row.run) for row in rows)


def _grouped(pairs: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for name, job_id in pairs:
        groups[name].append(job_id)
    return groups
