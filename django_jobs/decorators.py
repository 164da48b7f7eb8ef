"""`@job`: makes a function a job type, with the verbs that enqueue it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import client, states
from .backoff import Retry
from .client import Options
from .exceptions import InvalidJob
from .models import Job
from .registry import AckMode, JobType, registry

P = ParamSpec("P")
R = TypeVar("R")


class JobFunction(Generic[P, R]):
    """A job type and the options of its next call. Called, it is the plain function; enqueued, it becomes a job."""

    def __init__(self, job_type: JobType, function: Callable[..., R], options: Options | None = None) -> None:
        self.job_type = job_type
        self.options = options or Options()
        self._function = function
        update_wrapper(self, function)

    @property
    def name(self) -> str:
        return self.job_type.name

    def __call__(self, *args: Any, **kwargs: Any) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name}>"

    def using(self, **options: Any) -> JobFunction[P, R]:
        """A copy whose calls are stored with other options: those of `client.Options`. Raises InvalidJob for others."""
        return type(self)(self.job_type, self._function, self.options.merged(**options))

    def enqueue(self, *args: Any, **kwargs: Any) -> Job:
        """Store a job in the caller's transaction; it runs once that commits. Raises InvalidJob, naming the field."""
        return client.enqueue(self.job_type, [(args, kwargs)], self.options)[0]

    async def aenqueue(self, *args: Any, **kwargs: Any) -> Job:
        return (await client.aenqueue(self.job_type, [(args, kwargs)], self.options))[0]

    def enqueue_many(self, calls: Iterable[Iterable[Any]]) -> list[Job]:
        """Store a job for each tuple of positional arguments, in sets. Raises InvalidJob; nothing is stored then."""
        return client.enqueue(self.job_type, _calls(calls), self.options)

    async def aenqueue_many(self, calls: Iterable[Iterable[Any]]) -> list[Job]:
        return await client.aenqueue(self.job_type, _calls(calls), self.options)

    def schedule(self, when: datetime | timedelta, /, *args: Any, **kwargs: Any) -> Job:
        """Store a job that is due at `when`: an aware datetime, or a timedelta from now."""
        return self.using(run_after=when).enqueue(*args, **kwargs)

    async def aschedule(self, when: datetime | timedelta, /, *args: Any, **kwargs: Any) -> Job:
        return await self.using(run_after=when).aenqueue(*args, **kwargs)


def _calls(calls: Iterable[Iterable[Any]]) -> list[client.Call]:
    """The calls of a set. A text would be taken for a tuple of its letters, so it is refused."""
    found: list[client.Call] = []
    for args in calls:
        if isinstance(args, str | bytes) or not isinstance(args, Iterable):
            raise InvalidJob("calls", f"has {args!r:.100}; give a tuple of arguments for each job, as in [(x,), (y,)]")
        found.append((tuple(args), {}))
    return found


@overload
def job(name: Callable[P, R], /) -> JobFunction[P, R]: ...


@overload
def job(
    name: str = "",
    /,
    *,
    queue: str = "default",
    priority: int = 0,
    takes_context: bool = False,
    timeout: float | timedelta | None = None,
    expires: timedelta | None = None,
    retry: Retry | None = None,
    ack: AckMode = "batch",
    retention: timedelta | Mapping[str, timedelta | None] | None = None,
    aliases: Iterable[str] = (),
) -> Callable[[Callable[P, R]], JobFunction[P, R]]: ...


def job(name: Any = "", /, **options: Any) -> Any:
    """Register a function, or a class with ``run``, as a job type.

    name: unique in the project and stored with every job; default ``module.function``.
    queue, priority: of its calls, unless they say otherwise.
    takes_context: the first argument of a run is its JobContext.
    timeout: seconds (or a timedelta) after which a run is stopped with JobTimeout.
    expires: a job that could not start within this time of being due is deleted instead.
    retry: a Retry, for when a run fails; default is the setting RETRY. Retry(attempts=0) is none.
    ack: "each" records every run by itself, so that a crash repeats at most one; "batch" is faster.
    retention: how long its ended jobs are kept, where that differs from the setting: a timedelta for all, or by state.
    aliases: names of old that stored jobs may still carry.

    Raises DuplicateJobType when the name is taken, InvalidJob for an option that cannot be.
    """
    if callable(name):
        return _register(name, "", {})
    return lambda target: _register(target, name, options)


def _register(target: Callable[..., Any], name: str, options: dict[str, Any]) -> JobFunction[Any, Any]:
    _check_target(target, options)
    timeout = options.pop("timeout", None)
    if isinstance(timeout, timedelta):
        timeout = timeout.total_seconds()
    job_type = JobType(
        name or f"{target.__module__}.{target.__qualname__}",
        target,
        timeout=timeout,
        aliases=tuple(options.pop("aliases", ())),
        retention=_retention(options.pop("retention", None)),
        description=inspect.getdoc(target) or "",
        **options,
    )
    if len(job_type.name) > 200:
        raise InvalidJob("name", f"{job_type.name!r} has {len(job_type.name)} characters; at most 200 can be stored")
    return JobFunction(registry.add(job_type), job_type.target)


def _retention(given: Any) -> dict[str, timedelta | None]:
    by_state = dict.fromkeys(states.ENDED, given) if isinstance(given, timedelta) else dict(given or {})
    for state, keep in by_state.items():
        if state not in states.ENDED or not isinstance(keep, timedelta | None):
            known = ", ".join(sorted(states.ENDED))
            raise InvalidJob("retention", f"has {state!r}: {keep!r}; give a timedelta (or None, for ever) for {known}")
    return by_state


def _check_target(target: Any, options: dict[str, Any]) -> None:
    known = {"queue", "priority", "takes_context", "timeout", "expires", "retry", "ack", "retention", "aliases"}
    if unknown := sorted(set(options) - known):
        raise InvalidJob(unknown[0], f"is no option of @job; options are {', '.join(sorted(known))}")
    if inspect.isclass(target) and not callable(getattr(target, "run", None)):
        raise InvalidJob("target", f"the class {target.__qualname__} has no method run()")
    if not callable(target) or "<locals>" in getattr(target, "__qualname__", "") or target.__name__ == "<lambda>":
        raise InvalidJob(
            "target", f"{target!r} must be a function or class at the top level of a module: workers import it"
        )
    if not isinstance(options.get("retry"), Retry | None):
        raise InvalidJob("retry", f"is {options['retry']!r}; give a Retry, or None for the setting RETRY")
    if options.get("ack", "batch") not in {"batch", "each"}:
        raise InvalidJob("ack", f'is {options["ack"]!r}; give "batch" or "each"')
    if (limit := options.get("timeout")) is not None:
        seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
        if not isinstance(seconds, int | float) or not seconds > 0:
            raise InvalidJob("timeout", f"is {limit!r}; give seconds above 0 or a timedelta, or None for no limit")
