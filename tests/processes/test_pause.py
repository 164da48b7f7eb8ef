"""Pausing jobs that run in real processes, and what becomes of their state when processes end, of whatever cause."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from django_jobs import queues
from django_jobs.models import Checkpoint, Job
from tests.app.longjobs import counts, walks, walks_async
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def reload(job: Job) -> Job:
    job.refresh_from_db()
    return job


def position(job: Job) -> int:
    """What the last checkpoint says."""
    row = Checkpoint.objects.filter(job_id=job.pk).first()
    return json.loads(row.data)["state"] or 0 if row else 0


def done(job: Job) -> int:
    """How many items the last checkpoint counts."""
    row = Checkpoint.objects.filter(job_id=job.pk).first()
    return json.loads(row.data)["iterations"]["progress"]["done"] if row else 0


def test_a_job_pauses_and_goes_on_on_another_server(runjobs: Start) -> None:
    first = runjobs("--processes", "1", "--heartbeat-interval", "60")
    job = counts.enqueue(300)
    eventually(lambda: position(job) > 0)
    assert job.pause()
    eventually(lambda: reload(job).state == "paused")
    assert (job.attempt, job.asked, job.state_reason) == (1, "", "Paused")
    reached = position(job)
    os.kill(first.pid, signal.SIGTERM)
    assert first.wait() == 0
    second = runjobs("--processes", "1")
    assert reload(job).state == "paused"
    assert job.resume()
    ended = job.wait(20)
    assert (ended.state, ended.run, ended.failures) == ("succeeded", 2, 0)
    assert ended.result == {"began": reached, "counted": 300}
    assert ended.worker.startswith(second.name)
    assert [entry.name for entry in job.history()] == [
        *("enqueued", "processing", "paused", "enqueued", "processing", "succeeded")
    ]


def test_a_killed_worker_loses_no_more_than_a_second(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = counts.enqueue(400)
    eventually(lambda: position(job) > 50)
    os.kill(server.workers()[0].pid, signal.SIGKILL)
    eventually(lambda: reload(job).run == 2)
    reached = position(job)
    assert reached > 50
    ended = job.wait(20)
    assert ended.result["began"] >= 50
    assert (ended.state, ended.failures, ended.deaths) == ("succeeded", 0, 1)


def test_a_job_that_dies_while_pausing_is_paused_and_goes_on(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = counts.enqueue(6, 2.0)  # it looks every two seconds
    eventually(lambda: position(job) == 1)
    job.pause()
    os.kill(server.workers()[0].pid, signal.SIGKILL)
    eventually(lambda: reload(job).state == "paused")
    assert job.resume()
    eventually(lambda: reload(job).state == "processing")
    assert position(job) >= 1
    job.cancel(force=True)


def test_a_deploy_stops_a_job_at_its_checkpoint_and_it_goes_on(runjobs: Start) -> None:
    old = runjobs("--processes", "1", "--grace", "20")
    job = walks.enqueue(250)
    eventually(lambda: done(job) > 0)
    os.kill(old.pid, signal.SIGTERM)
    assert old.wait(10) == 0
    assert (reload(job).state, job.state_reason, job.attempt) == ("enqueued", "Put back at its checkpoint", 1)
    reached = done(job)
    runjobs("--processes", "1")
    ended = job.wait(20)
    assert (ended.state, ended.run, ended.failures, ended.deaths) == ("succeeded", 2, 0, 0)
    assert ended.result == list(range(reached, 250)), "no item twice, none left out"


def test_async_iterations_pause_too(runjobs: Start) -> None:
    runjobs("--processes", "1")
    job = walks_async.enqueue(200)
    eventually(lambda: done(job) > 0)
    job.pause()
    eventually(lambda: reload(job).state == "paused")
    reached = done(job)
    job.resume()
    assert job.wait(20).result == list(range(reached, 200))


def test_without_redis_the_heartbeat_tells_of_a_pause(runjobs: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    runjobs("--processes", "1", "--heartbeat-interval", "1")
    job = walks.enqueue(1000)
    eventually(lambda: done(job) > 0)
    monkeypatch.setattr(queues, "send", lambda orders: None)
    job.pause()
    eventually(lambda: reload(job).state == "paused")


def test_a_pause_that_is_taken_back_leaves_the_run_alone(runjobs: Start) -> None:
    runjobs("--processes", "1")
    job = counts.enqueue(4, 1.0)
    eventually(lambda: position(job) > 0)
    assert job.pause()
    assert job.resume()
    ended = job.wait(20)
    assert (ended.result, ended.run) == ({"began": 0, "counted": 4}, 1)
