"""The backend: checks a task, makes it a job type, stores its calls as jobs and reads them back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from inspect import getdoc
from typing import Any

from django.core import checks
from django.utils.module_loading import import_string

from .. import client, queues
from ..backoff import Attempts, Delay
from ..creation import Options
from ..decorators import seconds
from ..exceptions import InvalidJob
from ..registry import registry
from . import results
from .compat import AnyResult, AnyTask, BaseTaskBackend, InvalidTask, TaskResultDoesNotExist, task_enqueued
from .declaring import JobTask, TaskType
from .running import TaskRuns


@dataclass(frozen=True)
class TaskAttempts(Attempts):
    """The backoff function of a task is given its TaskResult."""

    def ask(self, error: BaseException, number: int, told: Callable[[], Any]) -> Delay | None:
        return super().ask(error, number, lambda: results.read([told()])[0])


class JobsBackend(BaseTaskBackend):
    """Runs Django's tasks as jobs.

    Beside ``QUEUES``, which is all of ``RQ_QUEUES`` by default, an entry of ``TASKS`` may have ``MAX_ATTEMPTS`` and
    ``BACKOFF`` (a function, or its path) for the tasks that do not say; without them, no task is tried again.
    """

    task_class = JobTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, {"QUEUES": [], **params})
        self.max_attempts: Any = params.get("MAX_ATTEMPTS")
        self.backoff: Any = params.get("BACKOFF")

    def validate_task(self, task: AnyTask) -> None:
        """Raise InvalidTask for a task that could not run; any other becomes a job type."""
        if isinstance(task.priority, bool) or not isinstance(task.priority, int | float):
            raise InvalidTask(f"priority is {task.priority!r}; it must be a whole number between -100 and 100.")
        if not isinstance(task.run_after, datetime | None):
            raise InvalidTask(f"run_after is {task.run_after!r}; it must be an aware datetime.")
        super().validate_task(task)
        if task.queue_name not in queues.names():
            known = ", ".join(queues.names()) or "none"
            raise InvalidTask(f"Queue {task.queue_name!r} is not valid for backend: RQ_QUEUES has {known}.")
        if len(task.module_path) > 200:
            raise InvalidTask(f"{task.module_path!r} has more than 200 characters.")
        self._register(task)

    def _register(self, task: AnyTask) -> TaskType:
        """The job type of a task; only what is registered in a worker runs there. Copies by ``using`` have the same."""
        known = registry.find(task.module_path)
        if isinstance(known, TaskType) and known.target is task.func:
            return known
        made = TaskType(
            task.module_path,
            task.func,
            queue=task.queue_name,
            priority=int(task.priority),
            takes_context=task.takes_context,
            filters=(TaskRuns,),
            description=getdoc(task.func) or "",
            task=task,
            **self._policy(task),
        )
        registry.add(made)
        return made

    def _policy(self, task: AnyTask) -> dict[str, Any]:
        """How often it is tried and how long it may take. Raises InvalidTask."""
        most, backoff = getattr(task, "max_attempts", None), getattr(task, "backoff", None)
        try:
            retry = self._retry(self.max_attempts if most is None else most, backoff or self.backoff)
            return {"retry": retry, "timeout": seconds("timeout", getattr(task, "timeout", None))}
        except (ImportError, InvalidJob, ValueError) as error:
            raise InvalidTask(str(error)) from error

    def _retry(self, most: Any, backoff: Any) -> TaskAttempts:
        """Django's tasks are not tried again unless somebody says so."""
        found = import_string(backoff) if isinstance(backoff, str) else backoff
        return TaskAttempts.of(1 if most is None and found is None else most, found)

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Store a job in the caller's transaction; it runs once that commits.

        Raises InvalidTask, TypeError or ValueError for arguments that JSON cannot hold, and InvalidJob, a ValueError,
        for those that the function does not take. Nothing is stored then.
        """
        self.validate_task(task)
        call = tuple(results.plain(list(args))), results.plain(dict(kwargs))
        options = Options(
            queue=task.queue_name,
            priority=int(task.priority),
            run_after=task.run_after,
            headers=results.header(self.alias, task.run_after),
        )
        (job,) = client.enqueue(self._register(task), [call], options)
        (result,) = results.read([job])
        assert result is not None
        object.__setattr__(result, "task", task)
        task_enqueued.send_robust(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> AnyResult:
        """The result with that id, from any process. Raises TaskResultDoesNotExist, also when it is stored no more."""
        result = results.find(result_id, self.alias)
        if result is None:
            raise TaskResultDoesNotExist(result_id)
        return result

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Queues that ``RQ_QUEUES`` does not have, and a policy that cannot be."""
        found: list[checks.CheckMessage] = []
        where = f"TASKS[{self.alias!r}]"
        for name in sorted(self.queues - set(queues.names())):
            hint = f"RQ_QUEUES has {', '.join(queues.names()) or 'none'}."
            found.append(checks.Error(f"{where}['QUEUES'] names {name!r}.", hint=hint, id="django_jobs.E009"))
        try:
            self._retry(self.max_attempts, self.backoff)
        except (ImportError, ValueError) as error:
            found.append(checks.Error(f"{where} has no possible policy.", hint=str(error), id="django_jobs.E010"))
        return found
