"""Runs of recurring jobs: new jobs, for a tick or by hand, as their schedules, types and filters want them."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Protocol

from . import creation, states, storing
from .creation import Options
from .exceptions import DuplicateJob
from .models import Job
from .registry import registry
from .states import filters, machine
from .terms import CALL


def store_runs(jobs: list[Job]) -> None:
    """Store runs, each with its type's keys. One whose unique key another job holds gets no id: it is not stored."""
    plain = [job for job in jobs if not _has_keys(job)]
    if plain:
        machine.create(plain)
    for job in jobs:
        if _has_keys(job):
            try:
                store(job)
            except DuplicateJob:
                continue


def _has_keys(job: Job) -> bool:
    known = registry.find(job.job_type)
    return known is not None and bool(known.unique or known.concurrency_key)


def store(job: Job) -> Job:
    """Store one run, with the keys of its type; returns the job that holds its unique key. Raises DuplicateJob."""
    return storing.store([job], registry.find(job.job_type), Options())[0]


class Run(Protocol):
    """What a run is made of: a recurring job, or what was read of one."""

    pk: Any
    job_type: Any
    args: Any
    kwargs: Any
    queue: Any
    priority: Any
    expires: Any


@cache
def _blank() -> Job:
    return Job()


def new_job(
    row: Run,
    now: datetime,
    *,
    tick: datetime | None = None,
    due: datetime | None = None,
    waits: bool = False,
    by: Any = None,
) -> Job:
    """A run of it, not yet stored: for a tick, or by hand.

    Scheduled where it is `due` later than now, or a filter puts it off; Awaiting where it `waits` for the last run to
    end. Raises EnqueueCancelled where a filter refuses it.
    """
    later = due if due is not None and due > now else None
    columns = (_filtered if filters.chain("creating", row.job_type) else _plain)(row, now, later, by)
    if waits:
        columns |= {"state": states.AWAITING, "state_reason": "Waits for the last run to end"}
    columns["scheduled_at"] = columns["scheduled_at"] or tick
    columns |= {"created_state": columns["state"], "state_at": now, "created_at": now}
    return _blank().twin(**columns, recurring_job_id=row.pk, tick=tick)


def _plain(row: Run, now: datetime, later: datetime | None, by: Any) -> dict[str, Any]:
    """The columns of a run, where no filter has a say."""
    return {
        **{name: getattr(row, name) for name in CALL},
        "state": states.SCHEDULED if later else states.ENQUEUED,
        "scheduled_at": later,
        "start_before": None if row.expires is None else (later or now) + row.expires,
        "created_by_id": getattr(by, "pk", None),
        "created_by_name": "" if by is None else by.get_username()[:150],
    }


def _filtered(row: Run, now: datetime, later: datetime | None, by: Any) -> dict[str, Any]:
    """The same, with what filters make of it. Raises EnqueueCancelled where one refuses it."""
    terms = Options(queue=row.queue, priority=row.priority, run_after=later, expires=row.expires, created_by=by)
    made = creation.build(registry.find(row.job_type), row.job_type, [(tuple(row.args), row.kwargs)], terms)[0]
    return {name: getattr(made, name) for name in (*_plain(row, now, later, by), "tags", "headers")}
