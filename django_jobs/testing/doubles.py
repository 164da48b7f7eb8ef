"""Other ends for a call: a job that runs at once, and one that nobody stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from itertools import count
from typing import Any
from unittest.mock import patch

from asgiref.sync import sync_to_async

from .. import batching, client, creation, schedules
from ..creation import Call, Options
from ..models import Job
from ..registry import JobType
from .running import drain

_busy: ContextVar[bool] = ContextVar("django_jobs_immediate", default=False)


@contextmanager
def immediate_jobs() -> Iterator[None]:
    """Run every job as soon as it is stored, before the call that stored it returns.

    What it enqueues, its continuations and what else is enqueued and due run as well, as by `drain`. A failure is
    recorded and not raised. Scheduled jobs wait for their time.
    """
    enqueue = _then_drained(client.enqueue)
    with (
        patch.object(client, "enqueue", enqueue),
        patch.object(client, "aenqueue", _in_thread(enqueue)),
        patch.dict(batching.VERBS, _drained_verbs(start_batch=batching.start, extend_batch=batching.extend)),
        patch.dict(schedules.VERBS, _drained_verbs(trigger=schedules.trigger)),
        patch.object(schedules, "trigger", _then_drained(schedules.trigger)),
    ):
        yield


def _drained_verbs(**functions: Callable[..., Any]) -> dict[str, Any]:
    """Verbs of the models, and their async twins."""
    drained = {name: _then_drained(function) for name, function in functions.items()}
    return drained | {f"a{name}": _in_thread(function) for name, function in drained.items()}


def _in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    return sync_to_async(function, thread_sensitive=True)


def _then_drained(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def stored_and_run(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        if not _busy.get():
            token = _busy.set(True)
            try:
                drain()
            finally:
                _busy.reset(token)
            _refresh(found)
        return found

    return stored_and_run


def _refresh(found: Any) -> None:
    """What the caller gets tells how it ended."""
    for row in found if isinstance(found, list) else [found]:
        row.refresh_from_db()


@contextmanager
def dummy_jobs() -> Iterator[list[Job]]:
    """Store nothing and run nothing: the list of the calls, as jobs without a row, checked as ever.

    No database is needed. Their ids count from 1. Batches and recurring jobs are stored all the same.
    """
    made: list[Job] = []
    numbers = count(1)

    def enqueue(job_type: JobType | str, calls: Iterable[Call], options: Options | None = None) -> list[Job]:
        options = options or Options()
        known, name = creation.resolve(job_type)
        jobs = creation.build(known, name, calls, options.merged(after=()))
        for job in jobs:
            job.pk = next(numbers)
        made.extend(jobs)
        return jobs

    with (
        patch.object(client, "enqueue", enqueue),
        patch.object(client, "aenqueue", _in_thread(enqueue)),
    ):
        yield made
