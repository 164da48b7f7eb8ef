"""`@job`: makes a function a job type, with the verbs that enqueue it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from . import client, limiting, states
from .backoff import Attempts, Retry
from .creation import Options, checked_priority
from .declared import Declaration, declarations
from .exceptions import InvalidJob
from .graph import BoundCall
from .models import Job
from .moments import as_span
from .rates import RateLimit
from .registry import AckMode, Isolation, JobType, OnDuplicate, registry
from .states.filters import Filter
from .terms import checked

LIMITS = ("timeout", "hard_timeout", "max_wait", "max_run")
"""Options that are given in seconds, or as a timedelta."""
OPTIONS = {"queue", "priority", "takes_context", "isolation", "memory_limit", "expires", "retry", "max_attempts"}
OPTIONS |= {"backoff", "ack", "retention", "sensitive", "aliases", "filters", "capture_print"}

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

    def __call__(self, /, *args: Any, **kwargs: Any) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name}>"

    def using(self, **options: Any) -> JobFunction[P, R]:
        """A copy whose calls are stored with other options: those of `Options`. Raises InvalidJob for others."""
        return type(self)(self.job_type, self._function, self.options.merged(**options))

    def enqueue(self, /, *args: Any, **kwargs: Any) -> Job:
        """Store a job in the caller's transaction; it runs once that commits. Raises InvalidJob, naming the field."""
        return client.enqueue(self.job_type, [(args, kwargs)], self.options)[0]

    async def aenqueue(self, /, *args: Any, **kwargs: Any) -> Job:
        return (await client.aenqueue(self.job_type, [(args, kwargs)], self.options))[0]

    def enqueue_many(self, calls: Iterable[Iterable[Any]]) -> list[Job]:
        """Store a job for each tuple of positional arguments, in sets. Raises InvalidJob; nothing is stored then."""
        return client.enqueue(self.job_type, _calls(calls), self.options)

    async def aenqueue_many(self, calls: Iterable[Iterable[Any]]) -> list[Job]:
        return await client.aenqueue(self.job_type, _calls(calls), self.options)

    def bind(self, /, *args: Any, **kwargs: Any) -> BoundCall:
        """The call with these options, not yet enqueued: for a batch, or for `then`."""
        return BoundCall(self.job_type, args, kwargs, self.options)

    def schedule(self, when: datetime | timedelta, /, *args: Any, **kwargs: Any) -> Job:
        """Store a job that is due at `when`: an aware datetime, or a timedelta from now."""
        return self.using(run_after=when).enqueue(*args, **kwargs)

    async def aschedule(self, when: datetime | timedelta, /, *args: Any, **kwargs: Any) -> Job:
        return await self.using(run_after=when).aenqueue(*args, **kwargs)


def _calls(calls: Iterable[Iterable[Any]]) -> list[client.Call]:
    """The calls of a set. A text would be a tuple of its letters and a dictionary one of its keys; they are refused."""
    found: list[client.Call] = []
    for args in calls:
        if isinstance(args, str | bytes | Mapping) or not isinstance(args, Iterable):
            raise InvalidJob("calls", f"has {args!r:.100}; give a tuple of arguments for each job, as in [(x,), (y,)]")
        found.append((tuple(args), {}))
    return found


@overload
def job(name: Callable[P, R], /) -> JobFunction[P, R]: ...


@overload
def job(
    name: str = "",
    *,
    queue: str = "default",
    priority: int = 0,
    takes_context: bool = False,
    timeout: float | timedelta | None = None,
    hard_timeout: float | timedelta | None = None,
    max_wait: float | timedelta | None = None,
    max_run: float | timedelta | None = None,
    isolation: Isolation = "",
    memory_limit: int | None = None,
    expires: float | timedelta | None = None,
    retry: Retry | None = None,
    max_attempts: int | None = None,
    backoff: Callable[[BaseException, Any], Any] | None = None,
    ack: AckMode = "batch",
    retention: timedelta | Mapping[str, timedelta | None] | None = None,
    filters: Iterable[Any] = (),
    capture_print: bool = False,
    max_concurrency: int | None = None,
    concurrency_key: str | Callable[..., Any] | None = None,
    max_per_key: int = 1,
    rate_limit: str | RateLimit | Iterable[str | RateLimit] | None = None,
    unique: bool | str | Callable[..., Any] = False,
    unique_for: timedelta | None = None,
    on_duplicate: OnDuplicate = "return",
    sensitive: Iterable[str] = (),
    aliases: Iterable[str] = (),
) -> Callable[[Callable[P, R]], JobFunction[P, R]]: ...


def job(name: Any = "", /, **options: Any) -> Any:
    """Register a function, or a class with ``run``, as a job type.

    name: unique in the project and stored with every job; default ``module.function``.
    queue, priority: of its calls, unless they say otherwise.
    takes_context: the first argument of a run is its JobContext.
    timeout: seconds (or a timedelta) after which JobTimeout is raised inside a run.
    hard_timeout: seconds (or a timedelta) after which a run's process is killed; default `timeout` + setting GRACE.
    max_wait, max_run: service levels: seconds (or a timedelta) that a job should wait, and run, at most.
    isolation: "process" runs each job in a process of its own, forked for it.
    memory_limit: megabytes that such a run may take; MemoryLimitExceeded is raised where it wants more.
    expires: seconds (or a timedelta): a job that could not start within this time of being due is deleted instead.
    retry: a Retry, for when a run fails; default is the setting RETRY. Retry(attempts=0) is none.
    max_attempts: the same in the words proposed for Django's tasks: how often it runs at most, the first run included.
    backoff: with it, a function of the exception and the Job (``job.attempts``) that gives seconds, or None.
    ack: "each" records every run by itself, so that a crash repeats at most one; "batch" is faster.
    retention: how long its ended jobs are kept, where that differs from the setting: a timedelta for all, or by state.
    filters: of this type, besides the setting FILTERS: subclasses of Filter, or their dotted paths.
    capture_print: what a run prints goes to the job's console, besides standard output.
    max_concurrency: most jobs of the type that run at once, on all servers together; the others wait.
    concurrency_key: jobs of one key, a template such as "customer-{customer_id}" or a function, do not run at once.
    max_per_key: how many with the same key may run at once.
    rate_limit: how many may start within a time: "10/m", a RateLimit, or several of them.
    unique: a call is none while another has its key: True (the arguments), a template of them, or a function of them.
    unique_for: how long the key is held at least, even though the job has ended.
    on_duplicate: what such a call does: "return" the job that holds the key, or "raise" DuplicateJob.
    sensitive: names of arguments that dashboard and API show to nobody, besides those of the setting SENSITIVE.
    aliases: names of old that stored jobs may still carry.

    Raises DuplicateJobType when the name is taken, InvalidJob for an option that cannot be.
    """
    if callable(name):
        return _register(name, "", {})
    name = name or options.pop("name", "")
    return lambda target: _register(target, name, options)


def recurring(id: str, /, **terms: Any) -> Callable[[JobFunction[P, R]], JobFunction[P, R]]:
    """Have a job type run by a timetable; write it above ``@job``.

    id: unique in the database; the terms are those of ``RecurringJob.objects.add_or_update``, cron first of all.
    The database learns of it when ``runjobs`` starts, or by ``manage.py jobs sync``. What an operator has changed
    since stays changed. When the declaration vanishes from the code, the recurring job stops and is shown as orphaned.

    Raises InvalidJob for a term that cannot be.
    """

    if not isinstance(id, str):
        raise InvalidJob("id", f'is {id!r:.100}; write @recurring("an-id", cron="0 2 * * *") above @job')

    def declare(function: JobFunction[P, R]) -> JobFunction[P, R]:
        if not isinstance(function, JobFunction):
            raise InvalidJob("target", f"@recurring is above @job: {function!r:.100} is no job type yet")
        wanted = {
            name: value for name in ("queue", "priority") if (value := getattr(function.options, name)) is not None
        }
        checked(id, function.job_type, {**wanted, **terms})
        declarations.add(Declaration(id, function.job_type, {**wanted, **terms}))
        return function

    return declare


def _register(target: Callable[..., Any], name: str, options: dict[str, Any]) -> JobFunction[Any, Any]:
    _take_attempts(options)
    _check_target(target, options)
    options |= {name: seconds(name, options.get(name)) for name in LIMITS}
    options["expires"] = _span("expires", options.get("expires"))
    soft, hard = options["timeout"], options["hard_timeout"]
    if soft and hard and hard <= soft:
        raise InvalidJob("hard_timeout", f"is {hard:g} s; it must be longer than timeout, {soft:g} s")
    job_type = JobType(
        name or f"{target.__module__}.{target.__qualname__}",
        target,
        aliases=_names(options.pop("aliases", ())),
        sensitive=_sensitive(target, options),
        filters=tuple(options.pop("filters", ())),
        retention=_retention(options.pop("retention", None)),
        rate_limits=limiting.rates(options.pop("rate_limit", None)),
        description=inspect.getdoc(target) or "",
        **options,
    )
    if job_type.yields:
        raise InvalidJob("target", f"{job_type.path} has a yield: called, it would do nothing")
    if len(job_type.name) > 200:
        raise InvalidJob("name", f"{job_type.name!r} has {len(job_type.name)} characters; at most 200 can be stored")
    return JobFunction(registry.add(job_type), job_type.target)


def _names(given: Any) -> tuple[str, ...]:
    """One name alone is a text, which would else be taken for its letters."""
    return (given,) if isinstance(given, str) else tuple(given)


def _sensitive(target: Any, options: dict[str, Any]) -> tuple[str, ...]:
    names = _names(options.pop("sensitive", ()))
    run: Callable[..., Any] = getattr(target, "run", target) if inspect.isclass(target) else target
    parameters = inspect.signature(run).parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name in names:
        if not takes_any and name not in parameters:
            raise InvalidJob("sensitive", f"has {name!r}, which is no argument of {target.__qualname__}")
    return names


def _check_isolation(isolation: Any, limit: Any) -> None:
    if isolation not in {"", "process"}:
        raise InvalidJob("isolation", f'is {isolation!r}; give "process", or leave it out')
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidJob("memory_limit", f"is {limit!r}; give a whole number of megabytes")
    if limit is not None and not isolation:
        raise InvalidJob("memory_limit", 'needs isolation="process": a limit concerns a whole process')


def _take_attempts(options: dict[str, Any]) -> None:
    terms = {name: options.pop(name, None) for name in ("max_attempts", "backoff")}
    given = [name for name, value in terms.items() if value is not None]
    if not given:
        return
    if options.get("retry") is not None:
        raise InvalidJob(given[0], "says the same as retry; give one of them")
    try:
        options["retry"] = Attempts.of(**terms)
    except ValueError as error:
        raise InvalidJob(given[0], str(error)) from None


def seconds(name: str, limit: Any) -> float | None:
    """A time limit, in seconds. Raises InvalidJob, which names it."""
    number = limit.total_seconds() if isinstance(limit, timedelta) else limit
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < float("inf"):
        raise InvalidJob(name, f"is {limit!r}; give seconds above 0 or a timedelta, or None for no limit")
    return float(number)


def _span(name: str, given: Any) -> timedelta | None:
    """Seconds, or a timedelta, as such a one. Raises InvalidJob, which names it."""
    length = seconds(name, given)
    return given if length is None or isinstance(given, timedelta) else as_span(length, name)


def _retention(given: Any) -> dict[str, timedelta | None]:
    if not isinstance(given, timedelta | Mapping | None):
        raise InvalidJob("retention", f"is {given!r:.100}; give a timedelta, or a dictionary of them by state")
    by_state = dict.fromkeys(states.ENDED, given) if isinstance(given, timedelta) else dict(given or {})
    for state, keep in by_state.items():
        if state not in states.ENDED or not isinstance(keep, timedelta | None):
            known = ", ".join(sorted(states.ENDED))
            raise InvalidJob("retention", f"has {state!r}: {keep!r}; give a timedelta (or None, for ever) for {known}")
    return by_state


def _check_target(target: Any, options: dict[str, Any]) -> None:
    known = {*limiting.OPTIONS, *LIMITS, *OPTIONS}
    if unknown := sorted(set(options) - known):
        raise InvalidJob(unknown[0], f"is no option of @job; options are {', '.join(sorted(known))}")
    if inspect.isclass(target) and not callable(getattr(target, "run", None)):
        raise InvalidJob("target", f"the class {target.__qualname__} has no method run()")
    if not callable(target) or "<" in getattr(target, "__qualname__", "<"):
        raise InvalidJob("target", f"{target!r} is no function or class at the top level of a module: workers load it")
    limiting.check(options)
    checked_priority(options.get("priority", 0))
    if not isinstance(options.get("retry"), Retry | None):
        raise InvalidJob("retry", f"is {options['retry']!r}; give a Retry, or None for the setting RETRY")
    for one in options.get("filters", ()):
        if not isinstance(one, str) and not (isinstance(one, type) and issubclass(one, Filter)):
            raise InvalidJob("filters", f"has {one!r:.100}; give subclasses of Filter, or their dotted paths")
    _check_isolation(options.get("isolation", ""), options.get("memory_limit"))
    if options.get("ack", "batch") not in {"batch", "each"}:
        raise InvalidJob("ack", f'is {options["ack"]!r}; give "batch" or "each"')
