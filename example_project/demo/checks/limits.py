"""Unique jobs and limits."""

from __future__ import annotations

from datetime import datetime, timedelta

from django_jobs.exceptions import DuplicateJob
from django_jobs.models import Job
from example_project.demo.jobs import at_most_two, is_unique, two_a_second

from . import claim, ended


@claim("unique by arguments", "the same job, another for other arguments; DuplicateJob; another once it has ended")
def unique() -> str:
    later = is_unique.using(run_after=timedelta(hours=1))
    first, second, other = later.enqueue_many([(1,), (1,), (2,)])
    same = "the same job" if first.pk == second.pk else "two jobs"
    apart = "another for other arguments" if other.pk != first.pk else "one for all"
    try:
        is_unique.using(on_duplicate="raise").enqueue(1)
        refused = "nothing raised"
    except DuplicateJob as error:
        refused = type(error).__name__
    first.cancel()
    other.cancel()
    again = later.enqueue(1)
    again.cancel()
    return f"{same}, {apart}; {refused}; {'another' if again.pk != first.pk else 'the same'} once it has ended"


@claim("at most two of a type at once", "4 succeeded, 2 at once at most")
def max_concurrency() -> str:
    return _told([at_most_two.enqueue(0.3) for _ in range(4)])


@claim("one at a time for each key", "3 succeeded, 1 at once at most; who waits says why")
def exclusive() -> str:
    jobs = [at_most_two.using(concurrency_key="demo").enqueue(0.3) for _ in range(3)]
    answer = _told(jobs)
    reasons = {entry.reason for job in jobs for entry in job.history() if entry.name == "awaiting"}
    why = reasons <= {"Waits for a slot: at most 1 with the key demo at once"}
    return f"{answer}; {'who waits says why' if why else reasons}"


@claim("a rate limit", "5 succeeded, never three within a second")
def rate() -> str:
    jobs = [ended(job) for job in two_a_second.enqueue_many([()] * 5)]
    begun = sorted(entry.created_at for job in jobs for entry in job.history() if entry.name == "processing")
    close = [first for first, third in zip(begun, begun[2:], strict=False) if third - first <= timedelta(seconds=1)]
    return f"{_succeeded(jobs)}, {'three within a second' if close else 'never three within a second'}"


def _told(jobs: list[Job]) -> str:
    done = [ended(job) for job in jobs]
    events: list[tuple[datetime, int]] = []
    for job in done:
        assert job.started_at is not None
        assert job.finished_at is not None
        events += [(job.started_at, 1), (job.finished_at, -1)]
    running, most = 0, 0
    for _, step in sorted(events):
        running += step
        most = max(most, running)
    return f"{_succeeded(done)}, {most} at once at most"


def _succeeded(jobs: list[Job]) -> str:
    return f"{sum(job.state == 'succeeded' for job in jobs)} succeeded"
