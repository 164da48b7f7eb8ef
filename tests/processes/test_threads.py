"""`runjobs --threads N`: several jobs at a time in each process, and what becomes of neighbours when one kills it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from django_jobs.models import Job
from tests.app.jobs import adds, kills_its_worker, sleeps
from tests.app.threadjobs import meets, queries, takes_each_by_itself
from tests.processes.test_runjobs import names, reload, running
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def test_threads_run_jobs_at_the_same_time(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "4")
    jobs = meets.enqueue_many([(4,)] * 8)
    assert {job.wait(20).result for job in jobs} == {"met"}
    assert server.row is not None
    assert server.row.slots == 4


def test_many_quick_jobs_each_run_once(runjobs: Start) -> None:
    runjobs("--processes", "2", "--threads", "5")
    jobs = adds.enqueue_many([(n, 1) for n in range(1000)])
    assert [job.wait(60).result for job in jobs] == [n + 1 for n in range(1000)]
    assert set(Job.objects.values_list("run", flat=True)) == {1}
    each = takes_each_by_itself.enqueue_many([(n,) for n in range(20)])
    assert [job.wait(30).result for job in each] == list(range(20))


def test_every_thread_has_connections_of_its_own(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "3")
    jobs = queries.enqueue_many([(3,)] * 12)
    found = {job.wait(30).result for job in jobs}
    assert len(found) == 3
    assert "left a transaction open" in server.log
    assert adds.enqueue(1, 2).wait(20).result == 3


def test_only_the_jobs_that_ran_count_a_killed_worker(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "2")
    ran = [running(job) for job in sleeps.enqueue_many([(3,), (3,)])]
    waited = sleeps.enqueue(0.0)
    os.kill(server.workers()[0].pid, signal.SIGKILL)
    eventually(lambda: [reload(job).deaths for job in ran] == [1, 1])
    assert waited.wait(30).deaths == 0
    ended = [job.wait(30) for job in ran]
    assert [job.state for job in ended] == ["succeeded"] * 2
    first, second = sorted(ended, key=lambda job: job.started_at)
    assert first.finished_at <= second.started_at, "each of the suspects ran alone"


def test_a_job_that_kills_its_worker_takes_no_neighbour_along(runjobs: Start) -> None:
    runjobs("--processes", "1", "--threads", "4")
    beside = sleeps.enqueue_many([(0.5,)] * 3)
    poison = kills_its_worker.enqueue()
    assert poison.wait(30).state == "failed"
    assert [job.wait(30).state for job in beside] == ["succeeded"] * 3
    assert max(reload(job).deaths for job in beside) <= 1


def test_a_signal_lets_the_jobs_of_all_threads_end(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "3")
    ran = [running(job) for job in sleeps.enqueue_many([(1.0,)] * 3)]
    behind = adds.enqueue(1, 1)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert [reload(job).state for job in ran] == ["succeeded"] * 3
    assert (reload(behind).state, behind.attempt) == ("enqueued", 1)


def test_what_was_claimed_goes_back_only_when_all_threads_are_busy(runjobs: Start) -> None:
    runjobs("--processes", "1", "--threads", "2")
    long = running(sleeps.enqueue(2.0))
    quick = adds.enqueue_many([(n, 0) for n in range(200)])
    assert quick[-1].wait(20).state == "succeeded"
    assert reload(long).state == "processing"
    assert [names(job) for job in quick] == [["enqueued", "processing", "succeeded"]] * 200


def test_a_burst_waits_for_its_threads(runjobs: Start) -> None:
    jobs = sleeps.enqueue_many([(0.3,)] * 6)
    began = time.monotonic()
    assert runjobs("--processes", "1", "--threads", "3", "--burst", ready=False).wait() == 0
    assert [reload(job).state for job in jobs] == ["succeeded"] * 6, f"after {time.monotonic() - began:.1f} s"


def test_a_wrong_number_of_threads_is_told(runjobs: Start) -> None:
    server = runjobs("--threads", "0", ready=False)
    assert server.wait() != 0
    assert "'0' is no thread count: give a number from 1 to 1000" in server.log
