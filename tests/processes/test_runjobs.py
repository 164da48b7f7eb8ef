"""Real `runjobs` processes with real signals: they work, they stop in good order, and killing them loses nothing."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta

import django_rq
import psutil
import pytest
from rq import Worker
from rq.command import send_shutdown_command
from rq.suspension import resume, suspend

from django_jobs import monitoring, queues, steering
from django_jobs.models import Job, JobState, Server
from tests.app import jobs, ordinary
from tests.app.jobs import adds, fails, kills_its_worker, sleeps, succeeds, tells
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def reload(job: Job) -> Job:
    job.refresh_from_db()
    return job


def running(job: Job) -> Job:
    """The job, as soon as it is being run (its worker writes nothing then, so its own log tells)."""
    eventually(lambda: reload(job).state == "processing", what=f"job {job.pk} is processing")
    time.sleep(0.3)  # from the claim to the start of its function
    return job


def names(job: Job) -> list[str]:
    return [entry.name for entry in reload(job).history()]


def test_every_kind_of_job_ends(runjobs: Start) -> None:
    runjobs("--processes", "2")
    many = adds.enqueue_many([(n, 1) for n in range(500)])
    told = tells.using(queue="critical").enqueue()
    broken = fails.enqueue("ä\x01 broken")
    delayed = succeeds.schedule(timedelta(seconds=0.5), "late")
    assert told.wait(20).result["attempt"] == 1
    assert broken.wait(20).state == "failed"
    ended = delayed.wait(20)
    assert ended.result == "late"
    assert ended.started_at >= ended.scheduled_at
    assert [job.wait(20).result for job in many] == [n + 1 for n in range(500)]
    assert monitoring.counts()["succeeded"].number == 502


def test_rq_sees_the_workers(runjobs: Start) -> None:
    server = runjobs("--processes", "2", "--name", "web")
    connection = queues.connect("default", timeout=5)
    workers = eventually(lambda: (found := Worker.all(connection=connection)) and len(found) == 2 and found)
    assert {worker.name for worker in workers} == {row.name for row in server.workers()}
    assert workers[0].queue_names() == queues.names()
    assert {worker.hostname for worker in workers} == {server.row.host if server.row else ""}


def test_ordinary_jobs_of_rq_run_too(runjobs: Start) -> None:
    runjobs("--processes", "1")
    queue = django_rq.get_queue("default")
    good = [queue.enqueue(ordinary.doubles, n) for n in range(5)]
    bad = queue.enqueue(ordinary.breaks)
    ours = adds.enqueue(1, 2)
    assert ours.wait(20).result == 3
    eventually(lambda: bad.get_status() == "failed" and all(job.is_finished for job in good))
    assert [job.return_value() for job in good] == [0, 2, 4, 6, 8]


def test_rq_suspend_and_resume(runjobs: Start) -> None:
    runjobs("--processes", "1")
    connection = queues.connect("default", timeout=5)
    assert adds.enqueue(1, 1).wait(20).result == 2
    suspend(connection)
    eventually(lambda: [worker.get_state() for worker in Worker.all(connection=connection)] == ["suspended"])
    job = adds.enqueue(2, 2)
    with pytest.raises(TimeoutError):
        job.wait(1)
    assert reload(job).state == "enqueued"
    resume(connection)
    assert job.wait(20).result == 4


def test_rqs_shutdown_command_ends_one_worker(runjobs: Start) -> None:
    server = runjobs("--processes", "2")
    eventually(lambda: len(server.workers()) == 2)
    name = server.workers()[0].name
    eventually(lambda: name in {worker.name for worker in Worker.all(connection=queues.connect("default", timeout=5))})
    send_shutdown_command(queues.connect("default", timeout=5), name)
    eventually(lambda: len(server.workers()) == 1)
    assert adds.enqueue(1, 1).wait(20).result == 2


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_jobs_end(runjobs: Start, signum: int) -> None:
    server = runjobs("--processes", "1")
    job = running(sleeps.enqueue(1.0))
    behind = adds.enqueue(1, 1)
    os.kill(server.pid, signum)
    assert server.wait() == 0
    assert reload(job).state == "succeeded"
    assert (reload(behind).state, behind.attempt) == ("enqueued", 1)
    assert not Server.objects.exists()
    assert Worker.count(connection=queues.connect("default", timeout=5)) == 0


def test_after_the_grace_a_job_goes_back_uncounted(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--grace", "0.5")
    job = running(sleeps.enqueue(30))
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert (reload(job).state, job.attempt, job.deaths) == ("enqueued", 1, 0)
    assert "stopped before its job ended" in job.state_reason


def test_a_second_signal_ends_at_once(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--grace", "60")
    job = running(sleeps.enqueue(60))
    os.kill(server.pid, signal.SIGTERM)
    eventually(lambda: "stops" in server.log)
    with pytest.raises(Exception, match="timed out"):
        server.wait(timeout=1.2)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert (reload(job).state, job.attempt, job.deaths) == ("enqueued", 1, 0)


def test_a_killed_worker_is_replaced_and_its_job_runs_again(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = running(sleeps.enqueue(1.5))
    (worker,) = server.workers()
    os.kill(worker.pid, signal.SIGKILL)
    eventually(lambda: reload(job).run == 2, timeout=5)
    assert job.wait(20).state == "succeeded"
    assert reload(job).deaths == 1
    assert names(job) == ["enqueued", "processing", "enqueued", "processing", "succeeded"]
    back = JobState.objects.get(job=job, name="enqueued")
    assert "signal SIGKILL" in back.reason
    assert back.data == {"death": True}


def test_a_job_that_kills_its_workers_is_quarantined(runjobs: Start) -> None:
    runjobs("--processes", "1")
    job = kills_its_worker.enqueue()
    beside = adds.enqueue(1, 1)
    assert job.wait(30).state == "failed"
    assert reload(job).deaths == 3
    assert "third worker" in job.state_reason
    assert beside.wait(30).result == 2


def test_children_end_when_their_supervisor_is_killed(runjobs: Start) -> None:
    server = runjobs("--processes", "2", "--heartbeat-interval", "0.3")
    eventually(lambda: len(server.living()) == 6, what="supervisor, scheduler, two workers with a zygote each")
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: not server.living())


def test_a_vanished_hosts_jobs_run_elsewhere(runjobs: Start) -> None:
    intervals = ("--heartbeat-interval", "0.3", "--server-timeout", "2")
    gone = runjobs("--processes", "1", "--no-scheduler", *intervals)
    job = running(sleeps.enqueue(2.0))
    gone.kill()
    runjobs("--processes", "1", *intervals)
    assert job.wait(30).state == "succeeded"
    assert (reload(job).deaths, job.run) == (0, 2)
    assert "no sign of life" in JobState.objects.get(job=job, name="enqueued").reason
    eventually(lambda: gone.row is None)


def test_a_stopped_worker_that_wakes_up_cannot_write(runjobs: Start) -> None:
    intervals = ("--heartbeat-interval", "0.3", "--server-timeout", "2")
    server = runjobs("--processes", "1", *intervals)
    job = running(sleeps.enqueue(1.0))
    asleep = psutil.Process(server.workers()[0].pid)
    asleep.suspend()
    other = runjobs("--processes", "1", *intervals)
    ended = job.wait(30)
    assert ended.worker.startswith(other.name)
    asleep.resume()
    eventually(lambda: "was dropped" in server.log)
    assert names(job) == ["enqueued", "processing", "enqueued", "processing", "succeeded"]
    assert reload(job).worker.startswith(other.name)
    assert monitoring.counts()["succeeded"].number == 1
    eventually(lambda: "declared dead" in server.log)


def test_a_server_takes_only_the_types_it_was_given(runjobs: Start) -> None:
    runjobs("--processes", "1", "--types", "tests.adds")
    added, other = adds.enqueue(1, 1), succeeds.enqueue("x")
    assert added.wait(20).result == 2
    eventually(lambda: reload(other).state_reason == "No worker knows this type")
    assert other.state == "enqueued"
    runjobs("--processes", "1", "--types", "tests.succeeds", "--sweep-interval", "0.5")
    third = succeeds.enqueue("handed over")
    assert third.wait(20).result == "handed over"


def test_queues_are_taken_in_their_order(runjobs: Start) -> None:
    low = adds.using(queue="low-priority").enqueue_many([(n, 0) for n in range(20)])
    high = adds.using(queue="critical").enqueue_many([(n, 0) for n in range(20)])
    urgent = adds.using(queue="low-priority", priority=100).enqueue(1, 1)
    runjobs("--processes", "1", "--burst")
    ends = {job.pk: job.wait(20).started_at for job in [*low, *high, urgent]}
    assert max(ends[job.pk] for job in high) <= ends[urgent.pk] <= min(ends[job.pk] for job in low)


def test_a_burst_ends_by_itself(runjobs: Start) -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(100)])
    assert runjobs("--processes", "2", "--burst", ready=False).wait() == 0
    assert all(reload(job).state == "succeeded" for job in jobs)


def test_a_worker_is_replaced_after_its_number_of_jobs(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--max-jobs", "10")
    for n in range(3):
        adds.enqueue_many([(n, 0)] * 10)[-1].wait(20)
    eventually(lambda: server.log.count("replaced by a fresh one") >= 2)


def test_a_lost_bell_is_rung_again(runjobs: Start) -> None:
    job = adds.enqueue(1, 1)
    queues.connect("default", timeout=5).flushall()
    runjobs("--processes", "1", "--sweep-interval", "0.5")
    assert job.wait(30).result == 2


def test_a_quiet_server_takes_nothing_and_a_stopped_one_ends(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    assert adds.enqueue(1, 1).wait(20).result == 2
    assert server.row is not None
    assert steering.direct([server.row.pk], "quiet") == 1
    connection = queues.connect("default", timeout=5)
    eventually(lambda: (found := Worker.all(connection=connection)) and found[0].get_state() == "suspended")
    waiting = adds.enqueue(2, 2)
    with pytest.raises(TimeoutError):
        waiting.wait(1)
    steering.direct([server.row.pk], "")
    assert waiting.wait(20).result == 4
    steering.direct([server.row.pk], "stop")
    assert server.wait() == 0


def test_two_servers_of_one_name_are_refused(runjobs: Start) -> None:
    runjobs("--processes", "1", "--name", "twin")
    second = runjobs("--processes", "1", "--name", "twin", ready=False)
    assert second.wait() == 1
    assert "A server named 'twin' runs already" in second.log


def test_wrong_options_are_told_clearly(runjobs: Start) -> None:
    wrong = {
        "no queue is named mial": ("--queues", "mial"),
        "did you mean 'tests.adds'": ("--types", "tests.ads"),
        "is no process count": ("--processes", "many"),
        "is no number of seconds": ("--grace", "-3"),
        "is no interval": ("--sweep-interval", "0"),
        "has 131 characters": ("--name", "x" * 131),
        "the weight of a queue is a number above 0": ("--queues", "default:0"),
    }
    for message, arguments in wrong.items():
        server = runjobs(*arguments, ready=False)
        assert server.wait() != 0
        assert message in server.log
        assert "Traceback" not in server.log


def test_types_of_which_none_is_named_are_all_types(runjobs: Start) -> None:
    job = succeeds.enqueue()
    server = runjobs("--burst", "--processes", "1", "--types", "", ready=False)
    assert server.wait() == 0
    assert job.wait(1).state == "succeeded"


def test_logs_are_json_with_the_jobs_id(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--log-format", "json")
    job = fails.enqueue("told")
    job.wait(20)
    lines = [json.loads(line) for line in eventually(lambda: "told" in server.log and server.log).splitlines()]
    (failure,) = [line for line in lines if line["level"] == "ERROR"]
    assert failure["job_id"] == job.pk
    assert "ValueError: told" in failure["exception"]


def test_a_health_probe_answers(runjobs: Start) -> None:
    port = _free_port()
    server = runjobs("--processes", "1", "--health-port", str(port))

    def probe() -> dict[str, object] | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                found: dict[str, object] = json.load(answer)
                return found
        except urllib.error.URLError:
            return None

    answer = eventually(probe)
    assert answer["healthy"] is True
    assert answer["workers"] == 1
    server.ask_to_stop()
    assert server.wait() == 0


def _free_port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_change_of_the_source_starts_it_again(runjobs: Start) -> None:
    server = runjobs("--processes", "1", "--reload")
    assert adds.enqueue(1, 1).wait(20).result == 2
    os.utime(jobs.__file__)
    eventually(lambda: server.log.count(" started: ") == 2, what="it was started again")
    assert "jobs.py changed, starting again" in server.log
    assert adds.enqueue(2, 2).wait(20).result == 4
    server.ask_to_stop()
    assert server.wait() == 0
    assert not server.living()


def test_one_leader_and_another_takes_over(runjobs: Start) -> None:
    environment = {"DJANGO_JOBS_LEADER_TIMEOUT": "2"}
    first = runjobs("--processes", "1", environment=environment)
    eventually(lambda: "leads" in first.log)
    second = runjobs("--processes", "1", environment=environment)
    assert succeeds.schedule(timedelta(seconds=0.3), 1).wait(20).result == 1
    assert "leads" not in second.log
    first.kill()
    eventually(lambda: "leads" in second.log)
    assert succeeds.schedule(timedelta(seconds=0.3), 2).wait(20).result == 2
