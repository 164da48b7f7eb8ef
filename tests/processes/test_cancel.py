"""Cancelling jobs that run in real processes: those that listen, those that do not, with and without Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from django_jobs.models import Job
from tests.app.jobs import adds, sleeps
from tests.app.longjobs import awaits_its_cancellation, waits_for_its_cancellation
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def reload(job: Job) -> Job:
    job.refresh_from_db()
    return job


def running(job: Job) -> Job:
    eventually(lambda: reload(job).state == "processing", what=f"job {job.pk} is processing")
    time.sleep(0.3)  # from the claim to the start of its function
    return job


def test_a_running_job_hears_of_its_cancellation(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--heartbeat-interval", "60")
    job = running(waits_for_its_cancellation.enqueue())
    assert job.cancel()
    eventually(lambda: reload(job).asked == "", what="its worker says that it ended")
    assert (job.state, job.state_reason) == ("deleted", "Cancelled")
    assert adds.enqueue(1, 2).wait(10).result == 3
    assert "failed" not in server.log
    assert f"Job {job.pk} was cancelled; its run 1 has ended" in server.log


def test_async_code_is_woken_by_cancelled_error(runjobs: Start, tmp_path: Path) -> None:
    server = runjobs("--processes", "1", "--heartbeat-interval", "60")
    note = tmp_path / "note"
    job = running(awaits_its_cancellation.enqueue(str(note)))
    assert job.cancel()
    eventually(lambda: reload(job).asked == "")
    assert note.read_text() == "cancelled"
    assert "failed" not in server.log


def test_without_redis_the_heartbeat_tells(runjobs: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from django_jobs import queues

    server = runjobs("--processes", "1", "--heartbeat-interval", "1")
    job = running(waits_for_its_cancellation.enqueue())
    monkeypatch.setattr(queues, "send", lambda orders: None)
    assert job.cancel()
    eventually(lambda: reload(job).asked == "")
    assert "was cancelled" in server.log


def test_a_deaf_job_is_cancelled_by_force_and_its_worker_replaced(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = running(sleeps.enqueue(600))
    (worker,) = server.workers()
    assert job.cancel(force=True)
    eventually(lambda: reload(job).asked == "" and [row.pid for row in server.workers()] not in ([], [worker.pid]))
    assert (job.state, job.deaths, job.failures) == ("deleted", 0, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(worker.pid, 0)
    assert adds.enqueue(1, 2).wait(10).result == 3
    assert "cancelled by force" in server.log


def test_force_after_a_cancellation_that_nobody_heard_and_without_redis(
    runjobs: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django_jobs import queues

    server = runjobs("--processes", "1")
    job = running(sleeps.enqueue(600))
    (worker,) = server.workers()
    assert job.cancel()
    assert reload(job).asked == "cancel"
    monkeypatch.setattr(queues, "send", lambda orders: None)
    assert job.cancel(force=True)
    eventually(lambda: reload(job).asked == "" and worker.pid not in [row.pid for row in server.workers()])
    assert adds.enqueue(1, 2).wait(10).result == 3


def test_the_neighbours_of_a_job_that_is_cancelled_by_force_go_back_uncounted(runjobs: Start) -> None:
    runjobs("--processes", "1", "--threads", "2")
    deaf, neighbour = running(sleeps.enqueue(600)), running(sleeps.enqueue(2))
    assert deaf.cancel(force=True)
    ended = neighbour.wait(20)
    assert (ended.state, ended.run, ended.deaths, ended.failures) == ("succeeded", 2, 0, 0)
    assert (reload(deaf).state, deaf.deaths, deaf.asked) == ("deleted", 0, "")


def test_jobs_in_threads_hear_of_their_own_cancellation_alone(runjobs: Start) -> None:
    runjobs("--processes", "1", "--threads", "2", "--heartbeat-interval", "60")
    one, other = running(waits_for_its_cancellation.enqueue()), running(waits_for_its_cancellation.enqueue())
    assert one.cancel()
    eventually(lambda: reload(one).asked == "")
    assert reload(other).state == "processing"
    assert other.cancel()
    eventually(lambda: reload(other).asked == "")
