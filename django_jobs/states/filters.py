"""Filters: objects that take part in what happens to jobs. The policies that we ship are filters too.

A filter sees sets, since moves are made on sets. Those that a site lists in ``FILTERS``, or a job type names, come
before ours, in the order written.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from django.core.signals import setting_changed
from django.db import DatabaseError
from django.utils.module_loading import import_string

from .. import signals
from ..conf import settings
from ..exceptions import EnqueueCancelled, FilterFailed
from ..models import Job
from ..registry import registry
from ..transactions import atomic
from . import ALL, PROCESSING

if TYPE_CHECKING:
    from ..context import JobContext
    from .elections import Election
    from .statements import Candidate, Finish

logger = logging.getLogger("django_jobs.filters")

T = TypeVar("T")


@dataclass
class Creation:
    """A call that is about to be stored. What a filter assigns here is checked as if the caller had written it."""

    job_type: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    priority: int
    run_after: datetime | timedelta | None = None
    """When it is due: an aware datetime, or a timedelta from now; None is at once."""
    expires: timedelta | datetime | None = None
    created_by: Any = None
    tags: list[str] = field(default_factory=list)
    headers: dict[str, Any] = field(default_factory=dict)
    """JSON values that are stored with the job, and come back as ``ctx.headers``."""

    def cancel(self, reason: str = "") -> None:
        """Refuse the call: nothing of it is stored, and the caller gets EnqueueCancelled."""
        raise EnqueueCancelled(self.job_type, reason)


class Change(NamedTuple):
    """A job that entered `state`, in a transaction that is still open."""

    id: int
    job_type: str
    queue: str
    was: str
    """The state that it left."""
    state: str
    run: int
    """Number of its last claim."""
    reason: str
    batch: int | None = None
    passing: bool = False
    """Whether it leaves this state at once, in the same transaction: a failure that leads to a retry, say."""
    finish: Finish | None = None
    """How the run ended that this state is the end of: its times, its result and its data as JSON text."""
    limited: bool = False
    """Whether it holds slots of limits, or waits for one."""
    keyed: bool = False
    """Whether it has a unique key."""
    began: bool = True
    """False for a claimed job that was put back before its function was called."""


class Filter:
    """Takes part in the life of jobs; override what you need. One instance serves all threads of a process."""

    states: Collection[str] = ALL
    """The states whose coming concerns ``elect`` and ``applied``."""

    def creating(self, creation: Creation) -> None:
        """A call is about to be stored: change it, or ``creation.cancel(reason)``. What this raises, the caller gets.

        It is called once for each job, also of a set. Nothing is stored when it raises.
        """

    def created(self, jobs: Sequence[Job]) -> None:
        """These jobs were stored, by the caller's transaction, which is still open. What this raises undoes that."""

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        """Around each run: call `proceed`, which runs the job, and return its result or another one.

        ``raise Cancel(reason)`` moves the job to Deleted; what else it raises is a failure of the run.
        It may be an ``async def``, too, with ``await proceed()``.
        """
        return proceed()

    def elect(self, election: Election) -> None:
        """A job is about to enter ``election.state``: see ``election.replace``.

        Processing is elected when the job was claimed and before its function is called; all else in the transaction of
        the change, but for the end of a run. It may be called more than once for one change: when it is tried again.
        """

    def applied(self, changes: Sequence[Change]) -> None:
        """These jobs changed their state. It is called in the transaction of the change, which it can still undo.

        The rows are locked: be quick, and enqueue or write on the same database only.
        """


class Policy(Filter):
    """A filter that we ship, which may also say no."""

    def refused(self, changes: Sequence[Change]) -> set[int]:
        """Ids of those that must stay as they are. It is called in the transaction of the change, before it is made."""
        raise NotImplementedError

    def admit(self, jobs: Sequence[Candidate], at: datetime) -> dict[int, str]:
        """Ids of those that must wait instead of running now, with the reason. Their rows are locked."""
        raise NotImplementedError


BUILT_IN = [
    "django_jobs.policies.retries.Retries",
    "django_jobs.policies.continuations.Continuations",
    "django_jobs.policies.batches.Batches",
    "django_jobs.policies.unique.Unique",
    "django_jobs.policies.limits.Limits",
]
"""The policies that every site has; they come last. They are not told of claims, which are to stay one statement."""
_instances: dict[type[Filter], Filter] = {}


@cache
def chain(method: str, job_type: str, state: str = "") -> tuple[Filter, ...]:
    """The filters of a job type that override `method`, in order; for a state, those that it concerns."""
    return (*chosen(method, job_type, state), *_overriding(method, _made(tuple(BUILT_IN)), state))


@cache
def chosen(method: str, job_type: str, state: str = "") -> tuple[Filter, ...]:
    """Those of them that the site or the type asked for."""
    known = registry.find(job_type)
    own: Iterable[Filter] = () if known is None else _made(known.filters)
    return _overriding(method, dict.fromkeys((*_made(tuple(settings.FILTERS)), *own)), state)


def _overriding(method: str, among: Iterable[Filter], state: str) -> tuple[Filter, ...]:
    return tuple(
        one
        for one in among
        if getattr(type(one), method) is not getattr(Filter, method) and (not state or state in one.states)
    )


@cache
def _made(paths: tuple[str | type[Filter], ...]) -> tuple[Filter, ...]:
    return tuple(_instance(path) for path in paths)


def _instance(path: str | type[Filter]) -> Filter:
    """One instance for each class, however it is named."""
    made = import_string(path) if isinstance(path, str) else path
    if made not in _instances:
        _instances[made] = made()
    return _instances[made]


def problem(path: Any) -> str:
    """Why this names no filter; empty when it does."""
    try:
        found = import_string(path) if isinstance(path, str) else path
        if not (isinstance(found, type) and issubclass(found, Filter)):
            return "it is no subclass of django_jobs.Filter"
        _instance(found)
    except Exception as error:  # noqa: BLE001  (a module that is imported, and a class that is made, may raise anything)
        return f"{type(error).__name__}: {error}"
    return ""


def name_of(one: object) -> str:
    """How a filter is called in reasons and logs."""
    kind = one if isinstance(one, type) else type(one)
    return f"{kind.__module__}.{kind.__qualname__}"


def forget() -> None:
    """Read the settings again."""
    chain.cache_clear()
    chosen.cache_clear()
    hear_of_claims.cache_clear()
    _made.cache_clear()
    _saying.cache_clear()
    _instances.clear()


def ask(one: Filter, method: Callable[[T], None], subject: T) -> None:
    """Call a filter; whatever it raises is FilterFailed, but what the database refuses us: that is tried again."""
    try:
        method(subject)
    except Exception as error:
        if isinstance(error, DatabaseError) and name_of(one) in BUILT_IN:
            raise
        raise FilterFailed(name_of(one), error) from error


@cache
def hear_of_claims(types: tuple[str, ...]) -> bool:
    """Whether a filter of these types is told when jobs are claimed."""
    return any(chosen("applied", name, PROCESSING) for name in types)


def apply(changes: Sequence[Change], *, only_ours: bool = False) -> None:
    """Tell the filters of a set of changes, each those of the types that it serves. Raises FilterFailed.

    `only_ours` leaves out those of the site, for a change that must not fail; what ours raise is logged.
    """
    if not changes:
        return
    by_filter: dict[Filter, list[Change]] = {}
    for change in changes:
        for one in _told(change, only_ours):
            by_filter.setdefault(one, []).append(change)
    for one, theirs in by_filter.items():
        if only_ours:
            _tell_safely(one, theirs)
        else:
            ask(one, one.applied, theirs)
    signals.announce(Job, changes)


def _told(change: Change, only_ours: bool) -> tuple[Filter, ...]:
    if only_ours:
        return _overriding("applied", _made(tuple(BUILT_IN)), change.state)
    choose = chosen if change.state == PROCESSING else chain
    return choose("applied", change.job_type, change.state)


def _tell_safely(one: Filter, changes: list[Change]) -> None:
    try:
        with atomic():
            one.applied(changes)
    except Exception:
        logger.exception("%s failed; the jobs %s change all the same", name_of(one), [change.id for change in changes])


def tell_created(jobs: Sequence[Job]) -> None:
    """Tell the filters of jobs that were stored."""
    by_filter: dict[Filter, list[Job]] = {}
    for job in jobs:
        for one in chain("created", job.job_type):
            by_filter.setdefault(one, []).append(job)
    for one, theirs in by_filter.items():
        one.created(theirs)


def refused(changes: Sequence[Change]) -> set[int]:
    """Ids of the jobs that must not make the change which they are about to make."""
    return {job_id for one in _saying("refused") for job_id in one.refused(changes)}


def admit(jobs: Sequence[Candidate], at: datetime) -> dict[int, str]:
    """Which of the jobs must wait, and why."""
    waits: dict[int, str] = {}
    for one in _saying("admit"):
        waits |= one.admit([job for job in jobs if job.id not in waits], at)
    return waits


@cache
def _saying(method: str) -> tuple[Policy, ...]:
    policies = (one for one in _made(tuple(BUILT_IN)) if isinstance(one, Policy))
    return tuple(one for one in policies if getattr(type(one), method) is not getattr(Policy, method))


def _reload(*, setting: str, **kwargs: object) -> None:
    if setting == "DJANGO_JOBS":
        forget()


setting_changed.connect(_reload, dispatch_uid="django_jobs.filters")
