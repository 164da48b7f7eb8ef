"""Run jobs here and now, in the thread that asks for it and on its database connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from asgiref.sync import sync_to_async

from .. import clock, events, execution, monitoring, queues, states
from ..decorators import JobFunction
from ..models import Job
from ..moments import aware_moment
from ..policies import limits
from ..registry import registry
from ..server.dispatcher import dispatch_due, release
from ..server.keeper import acknowledge
from ..states import machine
from ..states.moves import Target
from .clocks import clock_kept

WORKER = "testing"
"""Name of the worker that the runs have here."""


def run_job(job: Job, *, raises: bool = True) -> Job:
    """Run an enqueued or scheduled job now, as a worker would, and return its row as it is then.

    raises: what the function raises is raised here too, after the failure was recorded.
    Raises AssertionError for a job that waits for nothing of the kind: one that has ended, or is paused.
    """
    errors: list[BaseException] = []
    with _deaf():
        machine.move([job.pk], Target(states.ENQUEUED, "Run by a test"), expected={states.SCHEDULED})
        if not _run(job.pk, errors):
            raise AssertionError(f"Job {job.pk} cannot be run, it is {monitoring.get(job.pk).state}")
    if raises and errors:
        raise errors[0]
    return monitoring.get(job.pk)


def run_inline(task: JobFunction[Any, Any], /, *args: Any, **kwargs: Any) -> Any:
    """Enqueue a call and run it now; returns what the job stored as its result. What the function raises is raised.

    The arguments are checked, stored and read again, and the function gets its context, as in a worker.
    """
    return run_job(task.enqueue(*args, **kwargs)).result


def drain(
    *, queues: Iterable[str] | None = None, until: datetime | timedelta | None = None, limit: int = 1000
) -> list[Job]:
    """Run what is enqueued, what is due, and what those jobs enqueue, until nothing is left; returns them in order.

    queues: only these; default is all of them.
    until: a moment, or a timedelta from now, up to which the clock of django_jobs moves on to each job that comes due.
    limit: most runs. Raises AssertionError beyond, since jobs that enqueue each other would go on for ever.
    """
    names = [queues] if isinstance(queues, str) else None if queues is None else list(queues)
    end = aware_moment(until, clock.now(), "until") or clock.now()
    ran: list[Job] = []
    stuck: set[int] = set()
    with _deaf(), clock_kept():
        while (number := _next(names, end, stuck)) is not None:
            if len(ran) == limit:
                raise AssertionError(f"Jobs are still enqueued after {limit} runs; give drain() a higher limit")
            if _run(number, []):
                ran.append(monitoring.get(number))
            else:
                stuck.add(number)
    return ran


arun_job = sync_to_async(run_job, thread_sensitive=True)
arun_inline = sync_to_async(run_inline, thread_sensitive=True)
adrain = sync_to_async(drain, thread_sensitive=True)


def _next(names: Iterable[str] | None, end: datetime, stuck: set[int]) -> int | None:
    """The job to run next; moves the clock on, up to `end`, where none is enqueued yet."""
    while True:
        dispatch_due()
        release()
        freed = limits.look_due()
        jobs = monitoring.jobs() if names is None else monitoring.jobs().filter(queue__in=list(names))
        waiting = jobs.filter(state=states.ENQUEUED).exclude(pk__in=stuck).order_by("-priority", "pk")
        number: int | None = waiting.values_list("pk", flat=True).first()
        due = jobs.filter(state=states.SCHEDULED, scheduled_at__lte=end).order_by("scheduled_at")
        moments = list(due.values_list("scheduled_at", flat=True)[:1])
        moments += [] if freed is None else [clock.now() + timedelta(seconds=freed)]
        moment = min((moment for moment in moments if moment is not None), default=None)
        if number is not None or moment is None or not clock.now() < moment <= end:
            return number
        clock.clock.anchor(moment)


def _run(number: int, errors: list[BaseException]) -> bool:
    """Claim, run and record one job; False when it cannot be claimed."""
    claimed = machine.claim([number], registry.names(), WORKER)
    for job in claimed:
        acknowledge([execution.run(job, WORKER, errors.append)], WORKER)
    return bool(claimed)


@contextmanager
def _deaf() -> Iterator[None]:
    """Ring no bell and publish no event meanwhile: nobody is there who would hear them."""
    ring, publish = queues.ring, events.publish
    queues.ring = lambda *args, **options: True
    events.publish = lambda *args, **facts: None
    try:
        yield
    finally:
        queues.ring, events.publish = ring, publish
