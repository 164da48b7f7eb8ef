"""Every write verb. A surface never touches a job otherwise; the models' verbs delegate here."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db.models import F

from . import clock, events, monitoring, states, storing
from .creation import Call as Call
from .creation import Options as Options
from .creation import build, resolve
from .exceptions import InvalidJob, StillRunning
from .models import Job
from .moments import aware_moment
from .policies import edges
from .registry import JobType
from .states import asking, machine
from .states.moves import Moved, Target
from .transactions import atomic

LOOK = 0.5
"""Seconds after which `wait` looks at the row, even though no event came."""


def enqueue(job_type: JobType | str, calls: Iterable[Call], options: Options | None = None) -> list[Job]:
    """Store a job for each call, in the caller's transaction; workers hear of them once it commits.

    `job_type` may be a name: of a type registered here, or one that a live server publishes.
    Raises InvalidJob naming the field, EnqueueCancelled when a filter refuses a call, DuplicateJob where that is asked
    for; nothing is stored then.
    """
    options = options or Options()
    known, name = resolve(job_type)
    options = replace(options, after=edges.awaited(options.after, options.on))
    jobs = build(known, name, calls, options)
    if jobs:
        jobs = _store(jobs, known, options)
        if due := [job for job in jobs if job.state == states.SCHEDULED]:
            _announce_due(min(due, key=_due))
    return jobs


def _store(jobs: list[Job], known: JobType | None, options: Options) -> list[Job]:
    if options.after is None:
        return storing.store(jobs, known, options)
    with atomic():
        stored = storing.store(jobs, known, options)
        edges.draw([job for job, found in zip(jobs, stored, strict=True) if found is job], options.after)
    return stored


aenqueue = sync_to_async(enqueue, thread_sensitive=True)


def _announce_due(job: Job) -> None:
    events.publish("scheduled", at=_due(job))


def _due(job: Job) -> float:
    return job.scheduled_at.timestamp() if job.scheduled_at else 0


def cancel(
    ids: Iterable[int], *, by: Any = None, force: bool = False, expected: Collection[str] | None = None
) -> list[int]:
    """Move waiting and running jobs to Deleted, "Cancelled by …"; returns the ids that moved.

    A running job hears of it by its context. `force` ends its worker process instead, also for jobs that were
    cancelled before and still run; what else that worker ran goes back to its queue, uncounted. `expected` narrows the
    states from which they are taken.
    """
    ids, reason = list(ids), f"Cancelled{_by(by)}"
    again = asking.force(ids) if force and (expected is None or states.DELETED in expected) else []
    data = {"forced": True} if force else {}
    return _apply("cancel", ids, reason, by, data=data, expected=expected) + again


def pause(ids: Iterable[int], *, by: Any = None, expected: Collection[str] | None = None) -> list[int]:
    """Pause waiting jobs at once, and ask running ones to stop at their next checkpoint; returns the ids of both.

    `expected` narrows the states in which that is done.
    """
    return asking.pause(ids, _by(by), _data(by), _from("pause", expected))


def resume(ids: Iterable[int], *, by: Any = None, expected: Collection[str] | None = None) -> list[int]:
    """Let paused jobs go on from their last checkpoint, and take back a pause that was asked; returns the ids.

    `expected` narrows the states in which that is done.
    """
    return asking.resume(ids, _by(by), _data(by), _from("resume", expected))


def delete(ids: Iterable[int], *, by: Any = None, expected: Collection[str] | None = None) -> list[int]:
    """Move jobs of any state to Deleted; their rows stay until their retention ends. Returns the ids that moved.

    `expected` narrows the states from which they are taken: a job that runs by now is left alone.
    """
    return _apply("delete", ids, f"Deleted{_by(by)}", by, expected=expected)


def requeue(
    ids: Iterable[int], *, by: Any = None, from_checkpoint: bool = False, expected: Collection[str] | None = None
) -> list[int]:
    """Run jobs again, or at once if they were scheduled; counts failed attempts anew. Returns the ids that moved.

    They start from their beginning, or `from_checkpoint`. `expected` narrows the states from which they are taken.
    """
    anew: dict[str, Any] = {"failures": 0, "deaths": 0, "result": None, "asked": ""}
    anew |= {"finished_at": None, "start_before": None}
    if not from_checkpoint:
        anew["anew_after"] = F("run")
    return _apply("requeue", ids, f"Requeued{_by(by)}", by, columns=anew, expected=expected)


def reschedule(
    ids: Iterable[int], when: datetime | timedelta, *, by: Any = None, expected: Collection[str] | None = None
) -> list[int]:
    """Run jobs at `when` instead; a time in the past enqueues them. Returns the ids that moved.

    `expected` narrows the states from which they are taken.
    """
    now = clock.now()
    due = aware_moment(when, now, "when")
    if due is None:
        raise InvalidJob("when", "is None; give an aware datetime, or a timedelta from now")
    columns = {"scheduled_at": due, "start_before": None, "finished_at": None, "asked": ""}
    moved = _apply("reschedule", ids, f"Rescheduled{_by(by)}", by, columns=columns, expected=expected)
    if moved:
        events.publish("scheduled", at=due.timestamp())
    return moved


apause = sync_to_async(pause, thread_sensitive=True)
aresume = sync_to_async(resume, thread_sensitive=True)
acancel = sync_to_async(cancel, thread_sensitive=True)
adelete = sync_to_async(delete, thread_sensitive=True)
arequeue = sync_to_async(requeue, thread_sensitive=True)
areschedule = sync_to_async(reschedule, thread_sensitive=True)


def _by(user: Any) -> str:
    if user is not None and not hasattr(user, "get_username"):
        raise InvalidJob("by", f"is {user!r:.100}; give a user, or None")
    return f" by {user.get_username()}" if user is not None else ""


def _data(user: Any) -> dict[str, Any]:
    return {} if user is None else {"by": user.get_username()}


def _from(name: str, expected: Collection[str] | None) -> frozenset[str]:
    """The states from which the verb takes jobs."""
    sources = states.VERBS[name].sources
    return sources if expected is None else sources.intersection(expected)


def _apply(
    name: str,
    ids: Iterable[int],
    reason: str,
    by: Any,
    *,
    columns: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    expected: Collection[str] | None = None,
) -> list[int]:
    verb = states.VERBS[name]
    target = Target(verb.target, reason, {**_data(by), **(data or {})}, columns or {})
    moved: list[Moved] = machine.move(ids, target, expected=_from(name, expected))
    return [row.id for row in moved if row.state == verb.target]


def wait(job_id: int, timeout: float, *, before_pause: Callable[[], None] | None = None) -> Job:
    """The job once it has ended (Succeeded, Failed or Deleted).

    Raises StillRunning, a TimeoutError, after `timeout` seconds. An event wakes it; where none comes, it looks anyway.
    `before_pause` is called after each look that is not the last one.
    """
    with events.listen("ended") as listener:
        end = time.monotonic() + timeout
        while True:
            job = monitoring.get(job_id)
            if job.state in states.ENDED:
                return job
            left = end - time.monotonic()
            if left <= 0:
                raise StillRunning(job_id, job.state, timeout)
            if before_pause is not None:
                before_pause()
            _until_ended(listener, job_id, min(left, LOOK))


def _until_ended(listener: events.Listener, job_id: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        event = listener.hear(left)
        if event is not None and job_id in event["ids"]:
            return


await_end = sync_to_async(wait, thread_sensitive=False)


def verb(name: str) -> Any:
    """The function behind a verb of the models."""
    return monitoring.history if name == "history" else globals()[name]
