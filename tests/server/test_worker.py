"""The worker by itself: RQ's jobs beside ours, and side threads that outlive what nobody expected."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.db import OperationalError
from rq.job import JobStatus
from rq.registry import StartedJobRegistry

from django_jobs import JobContext, clock, control, execution, job, queues
from django_jobs.clock import clock as the_clock
from django_jobs.models import Job, Server
from django_jobs.registry import registry
from django_jobs.server import supervisor
from django_jobs.server.heart import Heart
from django_jobs.server.process import ServerOptions, Stop
from django_jobs.server.shared import Shared
from django_jobs.server.worker import JobWorker
from django_jobs.states import machine
from tests.app import ordinary
from tests.app.jobs import adds
from tests.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)

OPTIONS = ServerOptions(name="s", queues=["default"], types=["tests.adds"], address="t.1", burst=True)


@pytest.fixture
def worker() -> JobWorker:
    return made(OPTIONS)


def made(options: ServerOptions) -> JobWorker:
    now = clock.now()
    facts = {"host": "h", "pid": os.getpid(), "started_at": now, "heartbeat_at": now}
    parent = Server.objects.create(name="s", kind="supervisor", **(facts | {"pid": os.getppid()}))
    row = Server.objects.create(name="s/1", kind="worker", parent=parent, **facts)
    return JobWorker(["default"], options, row, Stop(), Shared(options.threads))


def test_popped_entries_are_taken_in_their_order() -> None:
    assert queues.portion(["dj:1", "dj:2", "a", "dj:3", "b"]) == ([1, 2], [], ["a", "dj:3", "b"])
    assert queues.portion(["a", "dj:3", "b"]) == ([], ["a"], ["dj:3", "b"])
    assert queues.portion(["dj:1"]) == ([1], [], [])


def test_a_job_of_rq_waits_in_redis_while_ours_run(worker: JobWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = adds.enqueue(1, 2)
    theirs = django_rq.get_queue("default").enqueue(ordinary.doubles, 2)
    in_redis: list[list[str]] = []
    honest: Any = worker._run_set

    def look(ids: list[int]) -> None:
        in_redis.append(django_rq.get_queue("default").get_job_ids())
        honest(ids)

    monkeypatch.setattr(worker, "_run_set", look)
    worker.crew._pace.size = 10  # type: ignore[union-attr]
    worker._cycle()
    assert in_redis == [[theirs.id]]
    worker._cycle()
    worker._exchange([])
    assert theirs.is_finished
    assert Job.objects.get(pk=ours.pk).state == "succeeded"


def test_an_idle_worker_does_rqs_housekeeping(worker: JobWorker) -> None:
    queue = django_rq.get_queue("default")
    lost = queue.enqueue(ordinary.doubles, 2)
    lost.set_status(JobStatus.STARTED)
    registry = StartedJobRegistry("default", connection=queue.connection)
    queue.connection.delete(queue.key)
    queue.connection.zadd(registry.key, {f"{lost.id}:1": time.time() - 60})
    worker._cycle()
    assert lost.is_failed


def test_a_command_that_is_none_does_not_deafen_the_worker(worker: JobWorker) -> None:
    worker._ear.start()
    eventually(lambda: worker.client.pubsub_numsub(worker.pubsub_channel_name)[0][1])
    worker.client.publish(worker.pubsub_channel_name, "this is no command")
    time.sleep(0.6)
    assert worker._ear.is_alive()
    worker._ear.stop()


def test_a_clock_that_was_asleep_is_set_again() -> None:
    the_clock.anchor(clock.now() - timedelta(hours=8))
    Heart("w", lambda: None)._duties.turn()
    assert abs(clock.now().timestamp() - time.time()) < 5


def test_a_machine_without_room_for_a_process_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    boss = supervisor.Supervisor(OPTIONS)
    boss.row = Server(name="s")

    def refuses() -> int:
        raise BlockingIOError("no room")

    monkeypatch.setattr(os, "fork", refuses)
    boss._spawn_missing()
    assert boss.children[0].pid == 0
    assert boss.children[0].respawn_at > time.monotonic()


def end(worker: JobWorker) -> None:
    running = worker.hand.next()
    assert running is not None
    worker.hand.end(running, execution.run(running.job, worker.name))


def defer(worker: JobWorker) -> None:
    end(worker)
    worker.hand.defer([run._replace(tries=1) for run in worker.hand.take_ended()])


def end_and_let_the_keeper_write(worker: JobWorker) -> None:
    end(worker)
    keeper = threading.Thread(target=worker.hand.take_due, args=[0.0])
    keeper.start()
    keeper.join()


def let_the_keeper_give_back(worker: JobWorker) -> None:
    keeper = threading.Thread(target=worker.hand.take_waiting)
    keeper.start()
    keeper.join()


@pytest.mark.parametrize(
    "happens",
    [
        lambda worker: None,
        lambda worker: worker.hand.next(),
        end,
        defer,
        end_and_let_the_keeper_write,
        let_the_keeper_give_back,
    ],
    ids=["waits", "runs", "ended", "is deferred", "is written", "goes back"],
)
def test_a_bell_that_came_twice_repeats_no_job_when_the_database_falters(
    worker: JobWorker, monkeypatch: pytest.MonkeyPatch, happens: Callable[[JobWorker], object]
) -> None:
    job = adds.enqueue(1, 2)
    worker.hand.deal(worker._exchange([job.pk]))
    happens(worker)
    falter_once(monkeypatch)
    assert worker._exchange([job.pk]) == []
    job.refresh_from_db()
    assert (job.run, job.state) == (1, "succeeded" if happens is end else "processing")


def falter_once(monkeypatch: pytest.MonkeyPatch, *, after: bool = False) -> None:
    """The first exchange fails, before it was made or `after` it was committed."""
    honest: Any = machine.exchange
    tries: list[int] = []

    def falters(*args: Any) -> Any:
        tries.append(1)
        if len(tries) > 1:
            return honest(*args)
        if after:
            honest(*args)
        raise OperationalError("not now")

    monkeypatch.setattr(machine, "exchange", falters)


def test_a_claim_that_was_not_confirmed_is_made_again(worker: JobWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    job = adds.enqueue(1, 2)
    falter_once(monkeypatch, after=True)
    assert [claimed.run for claimed in worker._exchange([job.pk])] == [2]
    names = [entry.name for entry in job.history()]
    assert names == ["enqueued", "processing", "enqueued", "processing"]


def test_a_burst_is_not_over_because_redis_was_away(worker: JobWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    job = adds.enqueue(1, 2)
    honest: Any = queues.pop
    tries: list[int] = []

    def falters(*args: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise queues.Unreachable("not now")
        return honest(*args)

    monkeypatch.setattr(queues, "pop", falters)
    worker.work()
    job.refresh_from_db()
    assert job.state == "succeeded"


def goes_on(ctx: JobContext) -> None:
    for _ in ctx.iterate(range(1000)):
        time.sleep(0.01)


def test_a_worker_that_makes_way_waits_for_no_job_that_makes_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control.runs, "stop", False)
    try:
        long = job("t.goes_on", takes_context=True)(goes_on).enqueue()
        quick = adds.enqueue(1, 2)
        worker = made(replace(OPTIONS, types=["tests.adds", "t.goes_on"], threads=2, max_jobs=1))
        began = time.monotonic()
        assert worker.work(), "it wants to be replaced"
    finally:
        registry.remove("t.goes_on")
    assert time.monotonic() - began < 8
    rows = Job.objects.in_bulk()
    assert rows[quick.pk].state == "succeeded"
    assert (rows[long.pk].state, rows[long.pk].failures, rows[long.pk].run) == ("enqueued", 0, 1)
    assert not control.runs.stop
