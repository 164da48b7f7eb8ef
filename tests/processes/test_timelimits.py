"""Time limits and async jobs in real processes, one job at a time and in threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from django_jobs.models import Counter, Job
from tests.app.jobs import adds, sleeps
from tests.app.threadjobs import (
    holds_the_interpreter,
    is_stuck_in_c,
    loops_in_python,
    meets_async,
    saves_async,
    waits_async,
)
from tests.processes.test_runjobs import reload, running
from tests.servers import RunJobs

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_limit_is_raised_inside_the_job_in_any_thread(runjobs: Start, threads: str) -> None:
    server = runjobs("--processes", "1", "--threads", threads)
    jobs = [loops_in_python.enqueue(), waits_async.enqueue()]
    for job in jobs:
        ended = job.wait(20)
        assert ended.state == "failed"
        assert ended.state_reason.startswith(
            "django_jobs.exceptions.JobTimeout: The job ran longer than its time limit"
        )
    assert adds.enqueue(1, 2).wait(20).result == 3
    assert "died" not in server.log
    assert "is ended" not in server.log


def test_a_job_stuck_in_c_code_is_ended_with_its_process(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "2")
    beside = running(sleeps.enqueue(4))
    stuck = is_stuck_in_c.enqueue(60)
    ended = stuck.wait(30)
    assert (ended.state, ended.failures, ended.deaths) == ("failed", 2, 0), "its retry policy took part"
    assert "ran longer than its hard time limit of 1 seconds; its process was killed" in ended.state_reason
    assert "one of its jobs ran over its hard time limit" in server.log
    last = beside.wait(30)
    assert (last.state, last.deaths, last.failures) == ("succeeded", 0, 0), "its neighbour went back uncounted"
    assert last.run > 1


def test_code_that_holds_the_interpreter_is_ended_too(runjobs: Start) -> None:
    runjobs("--processes", "1")
    ended = holds_the_interpreter.enqueue().wait(30)
    assert (ended.state, ended.deaths) == ("failed", 0)
    assert "hard time limit" in ended.state_reason
    assert adds.enqueue(1, 2).wait(20).result == 3


def test_async_jobs_run_at_once_in_one_event_loop(runjobs: Start) -> None:
    runjobs("--processes", "1", "--threads", "4")
    found = [job.wait(20).result for job in meets_async.enqueue_many([(4,)] * 4)]
    assert len(found) == 4
    assert len(set(found)) == 1


@pytest.mark.parametrize("threads", ["1", "3"])
def test_async_jobs_leave_nothing_open(runjobs: Start, threads: str) -> None:
    server = runjobs("--processes", "1", "--threads", threads)
    jobs = saves_async.enqueue_many([(f"async {n}",) for n in range(12)])
    assert {job.wait(30).state for job in jobs} == {"succeeded"}
    assert len({reload(job).result for job in jobs}) <= int(threads)
    assert Counter.objects.filter(name__startswith="async").count() == 12
    assert "left a transaction open" in server.log
    assert "Task was destroyed" not in server.log
    assert set(Job.objects.values_list("run", flat=True)) == {1}
