"""A stored job enqueued once more, with changes: a new job that names the one it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from . import client
from .creation import Options
from .models import Job
from .registry import registry

ORIGIN = "again_of"
"""Header of the new job: the number of the old one."""


def origin(job: Job) -> int | None:
    """Number of the job that this one was made of."""
    number = job.headers.get(ORIGIN)
    return number if type(number) is int and number > 0 else None


def enqueue_again(
    job: Job, args: Sequence[Any], kwargs: dict[str, Any], *, queue: str, priority: int, delay: float, by: Any
) -> Job:
    """Store a call like that of `job`, with its tags and headers, in the caller's transaction; the old one stays.

    delay: seconds until it is due; 0 for at once.
    Raises InvalidJob naming the field, EnqueueCancelled, and DuplicateJob where another job holds its unique key.
    """
    options = Options(
        queue=queue,
        priority=priority,
        run_after=timedelta(seconds=delay) if delay else None,
        created_by=by,
        tags=job.tags,
        headers={**job.headers, ORIGIN: job.pk},
        **_keys(job),
    )
    return client.enqueue(job.job_type, [(tuple(args), kwargs)], options)[0]


def _keys(job: Job) -> dict[str, Any]:
    """Keys that its caller gave; those that a type makes of arguments are made anew."""
    known = registry.find(job.job_type)
    makes_unique = bool(known and known.unique)
    keys: dict[str, Any] = {}
    if job.unique_key and not makes_unique:
        keys["unique_key"] = job.unique_key
    if job.unique_key or makes_unique:
        keys["on_duplicate"] = "raise"
    if job.concurrency_key and not (known and known.concurrency_key):
        keys["concurrency_key"] = job.concurrency_key
    return keys
