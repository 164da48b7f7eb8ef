"""What stands around a run of a task: its context, its return value as JSON, and Django's signals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction

from .. import monitoring
from ..call import encode_value
from ..conf import settings
from ..context import JobContext
from ..exceptions import Cancel, JobStopped, Snooze
from ..states import ENDED
from ..states.filters import Change, Filter
from . import results
from .compat import AnyResult, BaseTaskBackend, InvalidTaskBackend, TaskContext, task_backends
from .compat import task_finished as finished
from .compat import task_started as started
from .declaring import CONTEXT

MOST = 500
"""Exceptions that are kept for signals to come; a run whose end was dropped leaves its own behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTaskContext(TaskContext):  # type: ignore[type-arg, misc]
    """Django's context of a task; `job` is ours of its run, with console, progress, checkpoints and cancellation."""

    job: JobContext


class TaskRuns(Filter):
    """The filter of every task type. ``task_finished`` is sent once the end is committed, wherever it came from."""

    states = ENDED

    def __init__(self) -> None:
        self._raised: dict[tuple[int, int], BaseException] = {}

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        result = results.begun(ctx)
        ctx.__dict__[CONTEXT] = JobTaskContext(task_result=result, job=ctx)
        started.send_robust(sender_of(result.backend), task_result=result)
        try:
            return _checked(results.plain(proceed()))
        except (Cancel, JobStopped, Snooze):
            raise
        except BaseException as error:
            self._keep((ctx.id, ctx.run), error)
            raise

    def applied(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.passing:  # it is tried again
                self._raised.pop((change.id, change.run), None)
        if ends := [change for change in changes if _ends(change)]:
            transaction.on_commit(lambda: self._tell(ends), using=settings.DATABASE, robust=True)

    def _keep(self, run: tuple[int, int], error: BaseException) -> None:
        self._raised[run] = error
        for old in list(self._raised)[:-MOST]:
            self._raised.pop(old, None)

    def _tell(self, ends: Iterable[Change]) -> None:
        errors = {change.id: self._raised.pop((change.id, change.run), None) for change in ends}
        for result in results.read(list(monitoring.jobs().filter(pk__in=list(errors)).order_by("pk"))):
            if result is not None and result.is_finished:
                _send_finished(result, errors[int(result.id)])


def _ends(change: Change) -> bool:
    """Whether the task ends by this: it is not tried again, and had not ended before."""
    return not change.passing and (change.was not in ENDED or change.finish is not None)


def _checked(value: Any) -> Any:
    """The value that a task returned. Raises ValueError for one that could not be stored as it is."""
    encode_value(value, "return value")
    size = len(json.dumps(value, ensure_ascii=False))
    if size > settings.MAX_PAYLOAD:
        raise ValueError(f"The return value takes {size:,} characters as JSON; the limit is {settings.MAX_PAYLOAD:,}")
    return value


def sender_of(alias: str) -> type:
    """The class that signals come from; that of all backends where the settings no longer have this one."""
    try:
        return type(task_backends[alias])
    except InvalidTaskBackend:
        return BaseTaskBackend


def _send_finished(result: AnyResult, error: BaseException | None) -> None:
    """As Django does: while the exception is being handled, so that receivers which log it find it."""
    send = partial(finished.send_robust, sender_of(result.backend), task_result=result)
    if error is None:
        send()
        return
    try:
        raise error
    except BaseException:  # noqa: BLE001  (it is ours)
        send()
