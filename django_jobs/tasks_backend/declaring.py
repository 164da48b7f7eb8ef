"""Tasks as they are declared: with a policy of their own, and each a job type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any, overload

from .. import clock
from ..registry import JobType
from .compat import AnyContext, Task, task_backends

CONTEXT = "_task_context"
"""Where the context of a run keeps that of its task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTask(Task):  # type: ignore[type-arg]
    """A task with the terms that are proposed for Django itself, under their names there."""

    max_attempts: int | None = None
    """How often it runs at most, when it fails. None is the backend's ``MAX_ATTEMPTS``; without that it is once, or as
    often as a `backoff` says, ten times more at most."""
    backoff: Callable[[BaseException, Any], float | timedelta | None] | None = None
    """Given the exception and the TaskResult: seconds until the next attempt, or None to try no more."""
    timeout: float | timedelta | None = None
    """Seconds, or a timedelta, after which JobTimeout, a TimeoutError, is raised inside a run."""

    def __post_init__(self) -> None:
        if isinstance(self.run_after, timedelta):
            object.__setattr__(self, "run_after", clock.now() + self.run_after)
        Task.__post_init__(self)  # super() does not find its way through a dataclass with slots


@overload
def task(function: Callable[..., Any], /) -> JobTask: ...


@overload
def task(
    *,
    priority: int = 0,
    queue_name: str = "default",
    backend: str = "default",
    takes_context: bool = False,
    max_attempts: int | None = None,
    backoff: Callable[[BaseException, Any], float | timedelta | None] | None = None,
    timeout: float | timedelta | None = None,
) -> Callable[[Callable[..., Any]], JobTask]: ...


def task(
    function: Callable[..., Any] | None = None,
    *,
    priority: int = 0,
    queue_name: str = "default",
    backend: str = "default",
    takes_context: bool = False,
    **policy: Any,
) -> Any:
    """Django's ``@task``, with ``max_attempts``, ``backoff`` and ``timeout`` also where Django's own takes no more.

    On Django 6.1, and with django-tasks, its own decorator takes them, too, as long as the backend is ours; with this
    one they are accepted under any backend, such as the immediate one in tests, which does not heed them.
    """

    def make(function: Callable[..., Any]) -> Any:
        usual = task_backends[backend].task_class
        made = usual if issubclass(usual, JobTask) else JobTask
        terms: dict[str, Any] = {
            "priority": priority,
            "queue_name": queue_name,
            "backend": backend,
            "takes_context": takes_context,
        }
        return made(func=function, run_after=None, **terms, **policy)

    return make if function is None else make(function)


@dataclass(frozen=True, eq=False)
class TaskType(JobType):
    """A task's function as a job type: it is given what JSON made of the arguments, whatever its annotations are."""

    task: Any = None
    """The Task as it was declared."""

    @cached_property
    def function(self) -> Callable[..., Any]:
        """What a run calls; where the task takes its context, that comes in the place of our own."""
        if not self.takes_context:
            return self.target
        return lambda ctx, *args, **kwargs: self.target(context_of(ctx), *args, **kwargs)

    @cached_property
    def annotations(self) -> dict[str, Any]:
        return {}


def context_of(ctx: Any) -> AnyContext:
    """The task's context in the context of its run."""
    found: AnyContext = ctx.__dict__[CONTEXT]
    return found
