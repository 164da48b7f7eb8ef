"""The job types of this process: only what is registered here can run."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from .backoff import Retry
from .conf import settings
from .exceptions import DuplicateJobType, InvalidJob, UnknownJobType
from .rates import RateLimit

FOR_EVER = timedelta(days=365_000)
"""A retention as long as this, ``timedelta.max`` say, is none: the calendar ends before it does."""
AckMode = Literal["batch", "each"]
Isolation = Literal["", "process"]
OnDuplicate = Literal["return", "raise"]
"""What a call with a key that another job holds does: return that job, or raise DuplicateJob."""


@dataclass(frozen=True, eq=False)
class JobType:
    """A function (or a class with ``run``) that may run as a job, and the defaults of its calls."""

    name: str
    target: Callable[..., Any]
    queue: str = "default"
    priority: int = 0
    takes_context: bool = False
    timeout: float | None = None
    """Seconds after which JobTimeout is raised inside a run; None is no limit."""
    hard_timeout: float | None = None
    """Seconds after which the process of a run is killed; None is `timeout` and the setting ``GRACE``."""
    expires: timedelta | None = None
    """A job that could not start within this time of being due is deleted instead of run."""
    retry: Retry | None = None
    """What a failed run leads on to; None takes the setting ``RETRY``."""
    max_wait: float | None = None
    """Seconds that a job should wait for its run at most; more is noted as a breach."""
    max_run: float | None = None
    """Seconds that a run should take at most; more is noted as a breach."""
    isolation: Isolation = ""
    """"process" runs each job in a process of its own."""
    memory_limit: int | None = None
    """Megabytes that an isolated run may take; None is no limit."""
    ack: AckMode = "batch"
    """"each" acknowledges every run by itself: a crash repeats at most the job that was running."""
    retention: Mapping[str, timedelta | None] = field(default_factory=dict)
    """How long ended jobs of this type are kept, by state, where it differs from the setting; None for ever."""
    filters: tuple[Any, ...] = ()
    """Filters of this type besides the setting ``FILTERS``: subclasses of Filter, or their dotted paths."""
    capture_print: bool = False
    """Whether what a run prints goes to its console, besides standard output."""
    max_concurrency: int | None = None
    """Most jobs of the type that run at once, on all servers together."""
    concurrency_key: str | Callable[..., Any] | None = None
    """Template of arguments, or function of them: jobs with the same key do not run at once."""
    max_per_key: int = 1
    """Most jobs with the same concurrency key that run at once."""
    rate_limits: tuple[RateLimit, ...] = ()
    unique: bool | str | Callable[..., Any] = False
    """Whether a second call is none while the first has not ended: by arguments, or by a template or function."""
    unique_for: timedelta | None = None
    """How long a key is held at least, even though the job has ended."""
    on_duplicate: OnDuplicate = "return"
    sensitive: tuple[str, ...] = ()
    """Arguments that nobody is shown, besides those of the setting ``SENSITIVE``."""
    aliases: tuple[str, ...] = ()
    description: str = field(default="")

    @property
    def limited(self) -> bool:
        """Whether its jobs must not just start."""
        return self.max_concurrency is not None or self.concurrency_key is not None or bool(self.rate_limits)

    @property
    def path(self) -> str:
        return f"{self.target.__module__}.{self.target.__qualname__}"

    @cached_property
    def function(self) -> Callable[..., Any]:
        """What a run calls: the function itself, or ``run`` of a fresh instance of the class."""
        if inspect.isclass(self.target):
            made: Any = self.target
            return lambda *args, **kwargs: made().run(*args, **kwargs)
        return self.target

    @cached_property
    def is_async(self) -> bool:
        """Whether a run is a coroutine."""
        return inspect.iscoroutinefunction(self._source)

    @property
    def yields(self) -> bool:
        """Whether it is a generator, of which a call runs nothing."""
        return inspect.isgeneratorfunction(self._source) or inspect.isasyncgenfunction(self._source)

    @cached_property
    def has_sla(self) -> bool:
        return self.max_wait is not None or self.max_run is not None

    @property
    def hard_limit(self) -> float:
        """Seconds after which the process of a run is killed; 0 for never."""
        if self.hard_timeout is not None:
            return self.hard_timeout
        return 0.0 if self.timeout is None else self.timeout + float(settings.GRACE)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The parameters that a caller fills: without ``self`` and without the context."""
        source = self._source
        parameters = list(inspect.signature(source).parameters.values())
        is_bound = isinstance(inspect.getattr_static(self.target, "run", None), staticmethod | classmethod)
        skipped = (inspect.isclass(self.target) and not is_bound) + bool(self.takes_context)
        return inspect.Signature(parameters[skipped:])

    @cached_property
    def annotations(self) -> dict[str, Any]:
        """Type of each annotated parameter; one whose names cannot be resolved counts as not annotated."""
        try:
            return typing.get_type_hints(self._source)
        except (NameError, TypeError, AttributeError):
            return {}

    @property
    def _source(self) -> Callable[..., Any]:
        run: Callable[..., Any] = getattr(self.target, "run", self.target)
        return run if inspect.isclass(self.target) else self.target


class Registry:
    """Job types by name, aliases included."""

    def __init__(self) -> None:
        self._types: dict[str, JobType] = {}
        self.limited: set[str] = set()
        """Names of the types that have limits of their own."""
        self.elsewhere: set[str] = set()
        """Names of types that may be enqueued here although their code, and any server that has it, is elsewhere."""

    def add(self, job_type: JobType) -> JobType:
        """Register a type; raises DuplicateJobType when one of its names belongs to another function."""
        for name in (job_type.name, *job_type.aliases):
            known = self._types.get(name)
            if known is not None and known.path != job_type.path:
                raise DuplicateJobType(name, known.path, job_type.path)
        for name in (job_type.name, *job_type.aliases):
            self._types[name] = job_type
            if job_type.limited:
                self.limited.add(name)
        return job_type

    def get(self, name: str) -> JobType:
        """The type of that name or alias; raises UnknownJobType."""
        try:
            return self._types[name]
        except KeyError:
            raise UnknownJobType(name, self._types) from None

    def find(self, name: str) -> JobType | None:
        return self._types.get(name)

    def module_of(self, name: str) -> str:
        return str(self.get(name).target.__module__)

    def remove(self, name: str) -> None:
        """Forget a type and its aliases (tests and reloading plug-ins need it)."""
        job_type = self._types.get(name)
        for key in [key for key, value in self._types.items() if value is job_type]:
            del self._types[key]
            self.limited.discard(key)

    def keep(self, name: str, state: str) -> timedelta | None:
        """How long a job of that type stays stored after it ended in `state`; None for ever."""
        job_type = self._types.get(name)
        usual: timedelta | None = settings.RETENTION.get(state)
        keep = usual if job_type is None else job_type.retention.get(state, usual)
        return keep if keep is None or keep < FOR_EVER else None

    def names(self) -> list[str]:
        """Every name under which a job may be stored, aliases included, sorted."""
        return sorted(self._types)

    def __iter__(self) -> Iterator[JobType]:
        return iter(sorted(set(self._types.values()), key=lambda job_type: job_type.name))

    def __contains__(self, name: object) -> bool:
        return name in self._types


registry = Registry()


def declare(*names: str) -> None:
    """Say that there are job types of these names, whose code is elsewhere: they can be enqueued from here at any time.

    Without it a type must be registered here, or published by a server that lives at that moment. The arguments are
    checked when the job runs. Raises InvalidJob for what is no name.
    """
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) <= 200:
            raise InvalidJob("name", f"is {name!r:.220}; the name of a job type is a text of 1 to 200 characters")
    registry.elsewhere.update(names)
