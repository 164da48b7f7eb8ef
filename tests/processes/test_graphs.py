"""Continuations and batches with real servers: they hold while several run, and while some are killed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from django.db.models import Count

from django_jobs import Batch
from django_jobs.models import Job, JobState
from tests.app.graphjobs import grows_its_batch, is_a_part, tells_of_parents
from tests.app.jobs import adds, sleeps, succeeds
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def doubled() -> list[int]:
    """Jobs that were released more than once."""
    released = (
        JobState.objects.filter(name="enqueued", reason__regex="^(Job|Batch) #").values("job").annotate(n=Count("id"))
    )
    by_job = released.values("job").annotate(times=Count("id"))
    return list(by_job.filter(times__gt=1).values_list("job", flat=True))


def test_two_servers_run_a_graph_link_by_link(runjobs: Start) -> None:
    runjobs("--processes", "2")
    runjobs("--processes", "2")
    ends = []
    for n in range(100):
        left, right = adds.enqueue(n, 1), adds.enqueue(n, 2)
        ends.append(tells_of_parents.using(after=[left, right]).enqueue().then(succeeds, n))
    assert [job.wait(60).result for job in ends] == list(range(100))
    joins = Job.objects.filter(job_type="tests.tells_of_parents").order_by("pk")
    assert [job.result for job in joins] == [[n + 1, n + 2] for n in range(100)]
    assert doubled() == []


def test_ten_thousand_children_are_released(runjobs: Start) -> None:
    runjobs("--processes", "2")
    parent = sleeps.enqueue(1.0)
    succeeds.using(after=[parent]).enqueue_many([(n,) for n in range(10_000)])
    children = Job.objects.filter(job_type="tests.succeeds", state="succeeded")
    eventually(lambda: children.count() == 10_000, 120, "all children have run")
    assert doubled() == []


def test_a_batch_outlives_its_workers(runjobs: Start) -> None:
    server = runjobs("--processes", "2")
    runjobs("--processes", "2")
    batch = Batch.start("killed", [is_a_part.bind(n).then(is_a_part, n) for n in range(1500)])
    batch.add([grows_its_batch.bind(20) for _ in range(5)])
    last = batch.then(succeeds, "the end")
    for _ in range(4):
        eventually(lambda: Job.objects.filter(batch=batch, state="processing").exists() or batch.progress.open == 0)
        for process in random.sample(living := server.living(), len(living)):
            if process.pid != server.pid:
                process.kill()
                break
    assert batch.wait(120).state == "succeeded"
    assert batch.progress == (3105, 3105, 0, 0)
    assert last.wait(30).result == "the end"
    assert doubled() == []


def test_a_whole_server_is_killed_and_what_waits_goes_on(runjobs: Start) -> None:
    server = runjobs("--processes", "2")
    batch = Batch.start("killed", [is_a_part.bind(n) for n in range(300)])
    chain = succeeds.using(after=[batch]).enqueue(1).then(succeeds, 2)
    eventually(lambda: batch.progress.done > 20)
    server.kill()
    runjobs("--processes", "2")
    assert batch.wait(90).state == "succeeded"
    assert chain.wait(30).result == 2
    assert doubled() == []


def test_a_cancelled_batch_is_empty_soon_and_its_running_members_are_told(runjobs: Start) -> None:
    runjobs("--processes", "1")
    batch = Batch.start("large", [sleeps.bind(30), *(is_a_part.bind(n) for n in range(3000))])
    eventually(lambda: Job.objects.filter(batch=batch, state="processing").exists())
    assert batch.cancel()
    assert batch.wait(30).state == "finished"
    assert not Job.objects.filter(batch=batch).exclude(state__in=["succeeded", "deleted"]).exists()
