"""Every write verb. A surface never touches a job otherwise; the models' verbs delegate here."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async

from . import clock, events, monitoring, queues, states
from .call import aware_moment, encode_arguments
from .exceptions import InvalidJob, StillRunning, UnknownJobType, UnknownQueue
from .models import Job
from .registry import JobType, registry
from .states import machine
from .states.machine import Moved, Target

LOOK = 0.5
"""Seconds after which `wait` looks at the row, even though no event came."""


@dataclass(frozen=True)
class Options:
    """How a call is to be stored; what is None comes from the job type."""

    queue: str | None = None
    priority: int | None = None
    run_after: datetime | timedelta | None = None
    """When it is due: an aware datetime, or a timedelta from now. The past means at once."""
    expires: timedelta | datetime | None = None
    """Do not start later than this: a timedelta from when it is due, or an aware datetime."""
    created_by: Any = None
    tags: Sequence[str] = field(default_factory=tuple)

    def merged(self, **changes: Any) -> Options:
        unknown = sorted(set(changes) - set(self.__dataclass_fields__))
        if unknown:
            known = ", ".join(self.__dataclass_fields__)
            raise InvalidJob(unknown[0], f"is no option of a call; options are {known}")
        return replace(self, **changes)


Call = tuple[tuple[Any, ...], Mapping[str, Any]]


def enqueue(job_type: JobType | str, calls: Iterable[Call], options: Options | None = None) -> list[Job]:
    """Store a job for each call, in the caller's transaction; workers hear of them once it commits.

    `job_type` may be a name: of a type registered here, or one that a live server publishes.
    Raises InvalidJob naming the field; nothing is stored then.
    """
    known, name = _resolve(job_type)
    template = _template(known, name, options or Options())
    jobs = []
    for args, kwargs in calls:
        plain_args, plain_kwargs = encode_arguments(known, tuple(args), kwargs)
        jobs.append(Job(**template, args=plain_args, kwargs=plain_kwargs))
    if jobs:
        machine.create(jobs)
        if jobs[0].state == states.SCHEDULED:
            _announce_due(jobs[0])
    return jobs


aenqueue = sync_to_async(enqueue, thread_sensitive=True)


def _resolve(job_type: JobType | str) -> tuple[JobType | None, str]:
    if isinstance(job_type, JobType):
        return job_type, job_type.name
    known = registry.find(job_type)
    if known is None and job_type not in (published := monitoring.published_types()):
        raise UnknownJobType(job_type, published.union(registry.names()))
    return known, known.name if known else job_type


def _template(known: JobType | None, name: str, options: Options) -> dict[str, Any]:
    """The columns that all jobs of one call share, checked."""
    now = clock.now()
    due = aware_moment(options.run_after, now, "run_after")
    waits = due if due is not None and due > now else None
    state = states.SCHEDULED if waits else states.ENQUEUED
    by = options.created_by
    if by is not None and not hasattr(by, "get_username"):
        raise InvalidJob("created_by", f"is {by!r:.100}; give a user, or None")
    return {
        "job_type": name,
        "queue": _queue(options.queue or (known.queue if known else "default")),
        "priority": _priority(options.priority if options.priority is not None else known.priority if known else 0),
        "state": state,
        "created_state": state,
        "state_at": now,
        "created_at": now,
        "scheduled_at": due,
        "start_before": _start_before(options.expires or (known.expires if known else None), waits or now),
        "created_by_id": getattr(by, "pk", None),
        "created_by_name": "" if by is None else by.get_username()[:150],
        "tags": _tags(options.tags),
    }


def _queue(name: str) -> str:
    if name not in queues.names():
        raise UnknownQueue(name, queues.names())
    return name


def _priority(value: Any) -> int:
    if type(value) is not int or not -100 <= value <= 100:
        raise InvalidJob("priority", f"is {value!r}; a priority is a whole number from -100 to 100, higher first")
    return value


def _tags(tags: Sequence[str]) -> list[str]:
    if isinstance(tags, str) or not all(isinstance(tag, str) and 0 < len(tag) <= 100 for tag in tags):
        raise InvalidJob("tags", f"is {tags!r}; tags are a list of texts of 1 to 100 characters")
    return list(dict.fromkeys(tags))


def _start_before(expires: timedelta | datetime | None, due: datetime) -> datetime | None:
    return aware_moment(expires, due, "expires")


def _announce_due(job: Job) -> None:
    events.publish("scheduled", at=job.scheduled_at.timestamp() if job.scheduled_at else 0)


def cancel(ids: Iterable[int], *, by: Any = None) -> list[int]:
    """Move waiting and running jobs to Deleted, "Cancelled by …"; returns the ids that moved."""
    return _apply("cancel", ids, f"Cancelled{_by(by)}", by)


def delete(ids: Iterable[int], *, by: Any = None) -> list[int]:
    """Move jobs of any state to Deleted; their rows stay until their retention ends. Returns the ids that moved."""
    return _apply("delete", ids, f"Deleted{_by(by)}", by)


def requeue(ids: Iterable[int], *, by: Any = None) -> list[int]:
    """Run jobs again, or at once if they were scheduled; counts failed attempts anew. Returns the ids that moved."""
    anew = {"failures": 0, "deaths": 0, "result": None, "finished_at": None, "start_before": None}
    return _apply("requeue", ids, f"Requeued{_by(by)}", by, columns=anew)


def reschedule(ids: Iterable[int], when: datetime | timedelta, *, by: Any = None) -> list[int]:
    """Run jobs at `when` instead; a time in the past enqueues them. Returns the ids that moved."""
    now = clock.now()
    due = aware_moment(when, now, "when")
    if due is None:
        raise InvalidJob("when", "is None; give an aware datetime, or a timedelta from now")
    columns = {"scheduled_at": due, "start_before": None, "finished_at": None}
    moved = _apply("reschedule", ids, f"Rescheduled{_by(by)}", by, columns=columns)
    if moved:
        events.publish("scheduled", at=due.timestamp())
    return moved


acancel = sync_to_async(cancel, thread_sensitive=True)
adelete = sync_to_async(delete, thread_sensitive=True)
arequeue = sync_to_async(requeue, thread_sensitive=True)
areschedule = sync_to_async(reschedule, thread_sensitive=True)


def _by(user: Any) -> str:
    return f" by {user.get_username()}" if user is not None else ""


def _apply(
    name: str,
    ids: Iterable[int],
    reason: str,
    by: Any,
    *,
    columns: dict[str, Any] | None = None,
    expected: Collection[str] | None = None,
) -> list[int]:
    verb = states.VERBS[name]
    data = {"by": by.get_username()} if by is not None else {}
    target = Target(verb.target, reason, data, columns or {})
    moved: list[Moved] = machine.move(ids, target, expected=expected or verb.sources)
    return [row.id for row in moved]


def wait(job_id: int, timeout: float) -> Job:
    """The job once it has ended (Succeeded, Failed or Deleted).

    Raises StillRunning, a TimeoutError, after `timeout` seconds. An event wakes it; where none comes, it looks anyway.
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
