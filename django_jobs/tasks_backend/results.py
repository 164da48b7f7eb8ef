"""Jobs read as task results. Reading asks no settings: their changes do not make an old result unreadable."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from .. import clock, monitoring, states
from ..context import JobContext
from ..exceptions import UnknownJobType
from ..models import Job, JobState
from ..registry import registry
from .compat import AnyResult, TaskError, TaskResult, TaskResultStatus, normalize_json
from .declaring import JobTask, TaskType

HEADER = "django.tasks"
"""Of a job that was enqueued as a task: its backend's alias, when that was, and the time that was asked for."""
STATUS = {
    states.PROCESSING: TaskResultStatus.RUNNING,
    states.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    states.FAILED: TaskResultStatus.FAILED,
    states.DELETED: TaskResultStatus.FAILED,
}
"""Of states; all others wait, and are READY."""
CANCELLED = "django_jobs.exceptions.JobCancelled"
WITHOUT_EXCEPTION = "django_jobs.exceptions.JobsError"


def plain(value: Any) -> Any:
    """The value as JSON gives it back. Raises TypeError or ValueError for what it cannot hold."""
    try:
        return json.loads(json.dumps(normalize_json(value), allow_nan=False))
    except RecursionError:
        raise ValueError("The value is nested too deeply, or contains itself") from None


def header(alias: str, run_after: datetime | None) -> dict[str, Any]:
    """What is stored beside a job so that it reads as a task."""
    told = {"backend": alias, "enqueued_at": clock.now().isoformat()}
    return {HEADER: told if run_after is None else {**told, "run_after": run_after.isoformat()}}


def begun(ctx: JobContext) -> AnyResult:
    """The result of a run that is about to begin: running, even where the job was cancelled this very moment.

    The first run of what was enqueued as a task knows it all, and does not read the row.
    """
    if ctx.run == 1 and (told := _told(ctx.headers)):
        now = clock.now()
        return TaskResult(
            task=_task(ctx.job_type, ctx.queue, ctx.priority, told, told["backend"]),
            id=str(ctx.id),
            status=TaskResultStatus.RUNNING,
            enqueued_at=_moment(told, "enqueued_at"),
            started_at=now,
            last_attempted_at=now,
            finished_at=None,
            args=ctx.args,
            kwargs=ctx.kwargs,
            backend=told["backend"],
            errors=[],
            worker_ids=[ctx.worker],
        )
    (result,) = read([monitoring.get(ctx.id)])
    assert result is not None
    for name, value in (("status", TaskResultStatus.RUNNING), ("finished_at", None)):
        object.__setattr__(result, name, value)
    return result


def find(result_id: Any, alias: str) -> AnyResult | None:
    """The result with that id, if it is a task of that backend which is still stored."""
    number = monitoring.job_number(result_id) if isinstance(result_id, str) else None
    job = None if number is None or str(number) != result_id else monitoring.jobs().filter(pk=number).first()
    if job is None or alias_of(job) != alias:
        return None
    (result,) = read([job])
    return result


def alias_of(job: Job) -> str | None:
    """The backend of a job; None when it is no task."""
    known = registry.find(job.job_type)
    declared = known.task.backend if isinstance(known, TaskType) else None
    alias: str | None = _told(job.headers).get("backend", declared)
    return alias


def read(jobs: Sequence[Job]) -> list[AnyResult | None]:
    """The results of these jobs. None for one that had succeeded, and was deleted since: its result is gone."""
    histories: dict[int, list[JobState]] = defaultdict(list)
    if ran := [job.pk for job in jobs if job.run or job.state in states.ENDED]:
        for entry in monitoring.changes(ran):
            histories[entry.job_id].append(entry)
    return [_result(job, histories[job.pk]) for job in jobs]


def _result(job: Job, history: list[JobState]) -> AnyResult | None:
    if job.state == states.DELETED and any(entry.name == states.SUCCEEDED for entry in history):
        return None
    runs = list(_runs(history))
    status = STATUS.get(job.state, TaskResultStatus.READY)
    alias, told = alias_of(job) or "", _told(job.headers)
    result: AnyResult = TaskResult(
        task=_task(job.job_type, job.queue, job.priority, told, alias),
        id=str(job.pk),
        status=status,
        enqueued_at=_moment(told, "enqueued_at") or job.created_at,
        started_at=runs[0].created_at if runs else None,
        last_attempted_at=runs[-1].created_at if runs else None,
        finished_at=_ended(job),
        args=job.args,
        kwargs=job.kwargs,
        backend=alias,
        errors=list(_errors(job, history)),
        worker_ids=[run.data["worker"] for run in runs],
    )
    if status == TaskResultStatus.SUCCESSFUL:
        object.__setattr__(result, "_return_value", job.result)
    return result


def _ended(job: Job) -> datetime | None:
    if job.state not in states.ENDED:
        return None
    return job.state_at if job.state == states.DELETED else job.finished_at


def _runs(history: Iterable[JobState]) -> Iterable[JobState]:
    """The starts of the runs that ended, or go on. One that was put back before it ended is no attempt."""
    begun: JobState | None = None
    for entry in history:
        if begun is not None and entry.name in states.ENDED:
            yield begun
        begun = entry if entry.name == states.PROCESSING else None
    if begun is not None:
        yield begun


def _errors(job: Job, history: Iterable[JobState]) -> Iterable[TaskError]:
    for entry in history:
        if entry.name == states.FAILED:
            name = entry.data.get("exception", WITHOUT_EXCEPTION)
            path = name if "." in name else f"builtins.{name}"
            yield TaskError(exception_class_path=path, traceback=f"{entry.data.get('traceback') or entry.reason}\n")
    if job.state == states.DELETED:
        yield TaskError(exception_class_path=CANCELLED, traceback=f"{job.state_reason}\n")


def _told(headers: Mapping[str, Any]) -> Mapping[str, str]:
    """What `header` stored; nothing where another wrote under its name."""
    told = headers.get(HEADER)
    return told if isinstance(told, dict) and _is_ours(told) else {}


def _is_ours(told: Mapping[str, Any]) -> bool:
    try:
        times = [datetime.fromisoformat(told[name]) for name in ("enqueued_at", *told.keys() & {"run_after"})]
    except (KeyError, TypeError, ValueError):
        return False
    return isinstance(told.get("backend"), str) and all(at.tzinfo for at in times)


def _moment(told: Mapping[str, str], name: str) -> datetime | None:
    return datetime.fromisoformat(told[name]) if name in told else None


def _task(job_type: str, queue: str, priority: int, told: Mapping[str, str], alias: str) -> Any:
    """The task as it was enqueued. It is not validated: today's queues and backends may be others."""
    known = registry.find(job_type)
    declared = known.task if isinstance(known, TaskType) else None
    values = {
        "func": declared.func if declared else Unknown(job_type),
        "priority": priority,
        "backend": alias,
        "queue_name": queue,
        "run_after": _moment(told, "run_after"),
        "takes_context": declared.takes_context if declared else False,
    }
    kind = type(declared) if declared else JobTask
    made = object.__new__(kind)
    for field in fields(kind):
        value = values[field.name] if field.name in values else getattr(declared, field.name, field.default)
        object.__setattr__(made, field.name, value)
    return made


class Unknown:
    """What stands for a function that this process does not have, or that is no more. No backend takes it for one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.__module__, _, self.__name__ = path.rpartition(".")
        self.__qualname__ = self.__name__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise UnknownJobType(self.path, registry.names())
