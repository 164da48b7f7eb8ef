"""The keys of new jobs: those that a call names, or that its type makes of the arguments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from . import clock
from .call import of_each
from .creation import Options
from .exceptions import InvalidJob
from .keys import checked_key, of_arguments, rendered
from .models import Job
from .policies import unique
from .registry import JobType
from .states import machine


def store(jobs: list[Job], known: JobType | None, options: Options) -> list[Job]:
    """Store new jobs in the caller's transaction, each with its keys.

    For one whose unique key is taken: the job that holds it, or DuplicateJob. Raises InvalidJob for a key that cannot
    be; nothing is stored then.
    """
    _set_concurrency_keys(jobs, known, options)
    if options.unique_key is None and not (known and known.unique):
        _check_lone(options)
        machine.create(jobs)
        return jobs
    until = _until(options.unique_for if options.unique_for is not None else known.unique_for if known else None)
    for job, key in zip(jobs, of_each(jobs, lambda job: _unique_key(job, known, options)), strict=True):
        job.unique_key = key
        job.unique_until = until if key else None
    on_duplicate = checked_choice(options.on_duplicate or (known.on_duplicate if known else "return"))
    return unique.store(jobs, on_duplicate=on_duplicate)


def prepare_members(jobs: Sequence[Job], known: JobType | None, options: Options) -> None:
    """Give new members of a batch their keys. Raises InvalidJob for unique ones, since a batch counts its members."""
    if options.unique_key is not None or (known and known.unique):
        raise InvalidJob("unique_key", "a member of a batch cannot be unique; enqueue it beside the batch")
    _check_lone(options)
    _set_concurrency_keys(jobs, known, options)


def _set_concurrency_keys(jobs: Sequence[Job], known: JobType | None, options: Options) -> None:
    if options.concurrency_key is not None:
        key = checked_key(options.concurrency_key, "concurrency_key")
        for job in jobs:
            job.concurrency_key = key
    elif known is not None and (template := known.concurrency_key) is not None:
        keys = of_each(jobs, lambda job: rendered(template, known, job.args, job.kwargs, "concurrency_key"))
        for job, key in zip(jobs, keys, strict=True):
            job.concurrency_key = key


def _unique_key(job: Job, known: JobType | None, options: Options) -> str:
    if options.unique_key is not None:
        return checked_key(options.unique_key, "unique_key")
    assert known is not None
    if known.unique is True or known.unique == "args":
        return of_arguments(known, job.args, job.kwargs)
    template: Any = known.unique
    return rendered(template, known, job.args, job.kwargs, "unique")


def _until(span: Any) -> Any:
    return None if span is None else clock.now() + checked_span(span)


def checked_span(span: Any) -> timedelta:
    """How long a key is held. Raises InvalidJob."""
    if not isinstance(span, timedelta) or not timedelta(0) < span <= timedelta(days=36500):
        raise InvalidJob("unique_for", f"is {span!r}; give a timedelta above 0, of a hundred years at most")
    return span


def checked_choice(value: Any) -> str:
    """What a call with a taken key does. Raises InvalidJob."""
    if value not in ("return", "raise"):
        raise InvalidJob("on_duplicate", f'is {value!r}; give "return" or "raise"')
    return str(value)


def _check_lone(options: Options) -> None:
    """Options that say something of a key are refused without one."""
    for name in ("unique_for", "on_duplicate"):
        if getattr(options, name) is not None:
            raise InvalidJob(name, "says something of a unique key; give unique_key, too, or unique= in @job")
