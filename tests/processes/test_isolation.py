"""``isolation="process"``: each job in a process of its own, which can crash, fill its memory or hang by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from django_jobs.models import ConsoleLine, Job
from tests.app.jobs import adds, sleeps
from tests.app.threadjobs import (
    counts_on,
    crashes_alone,
    fills_memory,
    is_deaf_alone,
    leaves_its_process,
    loops_alone,
    tells_its_process,
    waits_to_be_cancelled,
)
from tests.processes.test_runjobs import reload, running
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_job_has_a_process_of_its_own_and_all_of_its_context(runjobs: Start, threads: str) -> None:
    server = runjobs("--processes", "1", "--threads", threads)
    jobs = [job.wait(30) for job in tells_its_process.enqueue_many([(n,) for n in range(4)])]
    assert [job.state for job in jobs] == ["succeeded"] * 4
    assert [job.result[2] for job in jobs] == [{"kept": n} for n in range(4)]
    assert len({job.result[0] for job in jobs}) == 4
    assert server.workers()[0].pid not in {job.result[0] for job in jobs}
    assert ConsoleLine.objects.filter(text="said in its process").count() == 4
    eventually(lambda: not {process.pid for process in server.living()} & {job.result[0] for job in jobs})


def test_a_payload_of_the_largest_size_reaches_its_process(runjobs: Start) -> None:
    runjobs("--processes", "1")
    text = "x" * 250_000
    assert tells_its_process.enqueue(text).wait(30).result[2] == {"kept": text}


def test_a_crash_is_a_failure_of_that_job_named_by_its_signal(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--threads", "2")
    beside = sleeps.enqueue(1.0)
    crashed, left = crashes_alone.enqueue().wait(30), leaves_its_process.enqueue().wait(30)
    assert (crashed.state, crashed.deaths) == ("failed", 0)
    assert crashed.state_reason == "django_jobs.exceptions.ProcessDied: The process of the job was killed by SIGSEGV"
    assert left.state_reason.endswith("The process of the job ended with status 3")
    assert (beside.wait(20).state, reload(beside).run) == ("succeeded", 1)
    assert "died" not in server.log.replace("ProcessDied", "")


def test_a_memory_limit_is_told_clearly(runjobs: Start) -> None:
    runjobs("--processes", "1")
    assert fills_memory.enqueue(16).wait(30).result == 16
    ended = fills_memory.enqueue(500).wait(30)
    assert ended.state == "failed"
    assert ended.state_reason.endswith("MemoryLimitExceeded: The job wanted more memory than its limit of 64 MB")


def test_time_limits_end_the_process_of_the_job_alone(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    pid = eventually(server.workers)[0].pid
    soft, hard = loops_alone.enqueue().wait(30), is_deaf_alone.enqueue().wait(30)
    assert soft.state_reason.endswith("time limit of 0.3 seconds")
    assert hard.state_reason.endswith("hard time limit of 1 seconds; its process was killed")
    assert adds.enqueue(1, 2).wait(20).result == 3
    assert [worker.pid for worker in server.workers()] == [pid]


def test_a_cancellation_reaches_the_process_of_the_job(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = waits_to_be_cancelled.enqueue()
    eventually(lambda: ConsoleLine.objects.filter(job_id=job.pk))
    assert job.cancel()
    eventually(lambda: "was cancelled; its run 1 has ended" in server.log)
    assert reload(job).state == "deleted"


def test_a_stop_reaches_the_process_of_the_job(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = running(counts_on.enqueue(60))
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert (reload(job).state, job.attempt) == ("enqueued", 1)
    runjobs("--processes", "1")
    assert job.wait(30).result == 2


def test_processes_end_with_their_worker_and_with_their_zygote(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = running(counts_on.enqueue(100))
    worker = psutil.Process(eventually(server.workers)[0].pid)
    (zygote,) = worker.children()
    (horse,) = eventually(zygote.children)
    worker.kill()
    eventually(lambda: not horse.is_running() and not zygote.is_running())
    eventually(lambda: reload(job).deaths == 1)
    again = psutil.Process(eventually(lambda: [row for row in server.workers() if row.pid != worker.pid])[0].pid)
    eventually(lambda: reload(job).state == "processing")
    (zygote,) = eventually(again.children)
    eventually(zygote.children)
    zygote.kill()
    assert job.wait(30).state == "succeeded"
    assert Job.objects.get(pk=job.pk).deaths == 1
    assert "is replaced" in server.log
