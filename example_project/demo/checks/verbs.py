"""What people may do with jobs."""

from __future__ import annotations

from datetime import timedelta

from example_project.demo.jobs import echoes, fails

from . import claim, ended, told

LATER = timedelta(hours=1)


@claim("cancel of a scheduled one", "moved, deleted: Cancelled")
def cancel() -> str:
    job = echoes.schedule(LATER)
    return f"{_moved(job.cancel())}, {told(job, lambda job: job.state_reason)}"


@claim("cancel of one that has ended", "not moved, succeeded: 1")
def cancel_too_late() -> str:
    job = ended(echoes.enqueue(1))
    return f"{_moved(job.cancel())}, {told(job)}"


@claim("requeue of a failed one", "failed, moved, failed in run 2")
def requeue() -> str:
    job = ended(fails.enqueue("broken"))
    before = job.state
    moved = _moved(job.requeue())
    again = ended(job)
    return f"{before}, {moved}, {again.state} in run {again.run}"


@claim("reschedule to now", "moved, succeeded: 1")
def reschedule() -> str:
    job = echoes.schedule(LATER, 1)
    return f"{_moved(job.reschedule(timedelta(0)))}, {told(job)}"


@claim("its history", "scheduled, enqueued, processing, succeeded")
def history() -> str:
    job = ended(echoes.schedule(timedelta(milliseconds=100)))
    return ", ".join(entry.name for entry in job.history())


def _moved(answer: bool) -> str:
    return "moved" if answer else "not moved"
