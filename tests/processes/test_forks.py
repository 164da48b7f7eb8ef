"""Jobs that fork, or leave their process: neither costs the server a worker, nor gives it a second one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.app.jobs import adds, forks, leaves_quietly, uses_a_pool
from tests.servers import RunJobs

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def test_a_job_that_leaves_with_status_zero_is_a_death_like_any_other(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    ended = leaves_quietly.enqueue().wait(30)
    assert (ended.state, ended.deaths) == ("failed", 3)
    assert adds.enqueue(1, 2).wait(30).result == 3
    assert server.process.poll() is None


def test_a_job_may_use_a_pool_of_processes(runjobs: Start) -> None:
    runjobs("--processes", "1")
    assert uses_a_pool.enqueue().wait(15).result == [1, 2]


def test_a_fork_that_comes_back_from_its_job_is_no_second_worker(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--no-scheduler", "--types", "tests.forks,tests.adds")  # none is isolated
    job = forks.enqueue().wait(15)
    assert (job.state, job.run) == ("succeeded", 1)
    assert [worker.pid for worker in server.workers()] == [job.result]
    assert {process.pid for process in server.living()} == {server.pid, job.result}
    assert all(job.wait(15).state == "succeeded" for job in [adds.enqueue(n, n) for n in range(20)])
    assert "next try" not in server.log
