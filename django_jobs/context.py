"""What a running job may know of itself."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class JobContext:
    """The run that is going on; the first argument of a job type with ``takes_context=True``."""

    id: int
    job_type: str
    queue: str
    attempt: int
    """From 1. A run that was put back uncounted does not raise it; a requeue by hand starts again at 1."""
    run: int
    """Number of the claim, by which every write of this run is fenced."""
    worker: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)


_current: ContextVar[JobContext | None] = ContextVar("django_jobs_context", default=None)


def current() -> JobContext | None:
    """The context of the job that runs in this thread or task, None outside of a job."""
    return _current.get()
