"""Limits over many real worker processes: exact, and they outlive whoever held a slot."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest

from django_jobs import steering
from django_jobs.models import Job, JobState, Server, Slot, Waiter
from tests.app.jobs import sleeps
from tests.app.limited import one_per_customer, three_in_two_seconds, two_at_once
from tests.app.models import Span
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def most_at_once(name: str) -> int:
    """How many runs of that name were inside at the same time."""
    steps = []
    for span in Span.objects.filter(name=name):
        steps += [(span.began, 1), (span.ended or span.began, -1)]
    most = now = 0
    for _, step in sorted(steps):
        now += step
        most = max(most, now)
    return most


def all_succeeded(jobs: list[Job]) -> bool:
    ids = [job.pk for job in jobs]
    return Job.objects.filter(pk__in=ids, state="succeeded").count() == len(ids)


@pytest.mark.parametrize("each", [("--processes", "4"), ("--processes", "1", "--threads", "4")], ids=["8x1", "2x4"])
def test_limits_are_exact_over_eight_runs_at_a_time(runjobs: Start, each: tuple[str, ...]) -> None:
    for _ in range(2):
        runjobs(*each)
    typed = two_at_once.enqueue_many([(0.05,)] * 20)
    keyed = one_per_customer.enqueue_many([(f"c{n % 3}", 0.05) for n in range(30)])
    jobs = [*typed, *keyed]
    eventually(lambda: all_succeeded(jobs), timeout=60, what="all have succeeded")
    assert most_at_once("two") == 2
    assert [most_at_once(f"c{n}") for n in range(3)] == [1, 1, 1]
    assert Span.objects.count() == 50
    eventually(lambda: not Slot.objects.exists() and not Waiter.objects.exists(), what="nothing is left behind")


def test_a_rate_is_exact_over_eight_processes(runjobs: Start) -> None:
    for _ in range(2):
        runjobs("--processes", "4")
    jobs = three_in_two_seconds.enqueue_many([()] * 10)
    eventually(lambda: all_succeeded(jobs), timeout=60, what="all have succeeded")
    claims = JobState.objects.filter(job__in=jobs, name="processing").order_by("pk").values_list("job", "created_at")
    starts = sorted(dict(claims).values())  # the last of each: one that was taken behind a slow one goes back
    assert len(starts) == Span.objects.filter(name="sliding").count() == 10
    assert all(later - earlier > timedelta(seconds=2) for earlier, later in zip(starts, starts[3:], strict=False))


def test_a_killed_holder_leaves_its_slot_to_the_next(runjobs: Start) -> None:
    runjobs("--processes", "2")
    first = one_per_customer.enqueue("c", 8.0)
    eventually(lambda: Span.objects.filter(job=first.pk).exists())
    second = one_per_customer.enqueue("c", 0.0)
    eventually(lambda: Job.objects.get(pk=second.pk).state == "awaiting")
    holder = Job.objects.get(pk=first.pk).worker
    os.kill(Server.objects.get(name=holder).pid, signal.SIGKILL)
    assert second.wait(60).state == "succeeded"
    assert first.wait(60).state == "succeeded"
    assert most_at_once("c") == 1
    eventually(lambda: not Slot.objects.exists(), what="no slot is left behind")


def test_a_waiting_job_holds_no_worker(runjobs: Start) -> None:
    runjobs("--processes", "2")
    steering.limit_queue("critical", max_concurrency=1, rate_limit=None)
    held = sleeps.using(queue="critical").enqueue(8.0)
    eventually(lambda: Job.objects.get(pk=held.pk).state == "processing")
    waiting = [sleeps.using(queue="critical").enqueue(0) for _ in range(3)]
    free = sleeps.enqueue(0)
    assert free.wait(20).state == "succeeded"
    assert Job.objects.get(pk=held.pk).state == "processing"
    eventually(lambda: {Job.objects.get(pk=job.pk).state for job in waiting} == {"awaiting"}, timeout=5)
    assert [job.wait(20).state for job in waiting] == ["succeeded"] * 3
    ended = [Job.objects.get(pk=job.pk) for job in (held, *waiting)]
    assert all(after.started_at >= before.finished_at for before, after in pairwise(ended))
