"""Bells go only where somebody takes them: not to servers without workers, nor to types of other queues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings

from django_jobs import clock, events, monitoring, queues
from django_jobs.models import Job, Server
from django_jobs.server import dispatcher, routing
from django_jobs.server.process import ServerOptions, Stop, register
from django_jobs.server.scheduler import Scheduler
from django_jobs.states import machine, moves
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)
DEFAULT = django_settings.RQ_QUEUES["default"]


def server(name: str, **facts: Any) -> Server:
    now = clock.now()
    facts = {"host": "h", "pid": 1, "queues": ["default"], "types": ["tests.adds"], "slots": 1, **facts}
    return Server.objects.create(name=name, kind="supervisor", started_at=now, heartbeat_at=now, **facts)


def test_a_server_without_workers_gets_no_bells() -> None:
    server("only-a-scheduler", slots=0, address="a.1")
    server("workers", address="a.2")
    assert routing.addresses() == {("default", "tests.adds"): "a.2"}


def test_a_quiet_server_gets_only_what_nobody_else_takes() -> None:
    server("quiet", wanted="quiet", address="a.1", types=["tests.adds", "tests.fails"])
    server("works", address="a.2")
    assert routing.addresses() == {("default", "tests.adds"): "a.2", ("default", "tests.fails"): "a.1"}


def test_a_type_that_is_known_on_another_queue_only_is_not_rung() -> None:
    server("elsewhere", queues=["critical"])
    server("here", types=["tests.fails"])
    job = adds.enqueue(1, 1)
    queues.connect("default", timeout=5).flushdb()
    Job.objects.update(state_at=clock.now() - timedelta(minutes=1))
    dispatcher.sweep()
    assert queues.waiting("default") == set()
    job.refresh_from_db()
    assert job.state_reason == routing.NOBODY


def test_a_queue_with_an_at_sign_keeps_its_list() -> None:
    both = {**django_settings.RQ_QUEUES, "default@eu": django_settings.RQ_QUEUES["default"]}
    with override_settings(RQ_QUEUES=both):
        queues.ring([(1, "default@eu", 0), (2, "default@eu", 9)])
        queues.forget_addresses("default", [])
        assert queues.waiting("default@eu") == {1, 2}


def test_a_job_that_was_rescheduled_meanwhile_does_not_expire() -> None:
    job = adds.using(expires=timedelta(seconds=-1)).enqueue(1, 1)
    job.reschedule(timedelta(hours=1))
    routing.expire([job.pk])
    job.refresh_from_db()
    assert job.state == "scheduled"


@contextmanager
def as_south() -> Iterator[None]:
    """What runs in here is another application, with a queue of its own."""
    with override_settings(RQ_QUEUES={"default": DEFAULT, "south": DEFAULT}):
        yield


def scheduler(name: str, *, leads: bool = False) -> Scheduler:
    """A scheduler of the application that we are at the moment."""
    made = Scheduler(register(name, Server.Kind.SCHEDULER, ServerOptions(name, ["default"], [], "")), Stop())
    if leads:
        made.leadership.hold()
    return made


def bells(*queues_: str) -> list[str]:
    client = queues.connect("default", timeout=5)
    return [text.decode() for queue in queues_ for text in client.lrange(queues.keys_of([queue], "")[3], 0, -1)]


def test_a_queue_that_the_leader_does_not_know_is_rung_by_the_scheduler_that_knows_it() -> None:
    north = scheduler("north", leads=True)
    with as_south():
        south, younger = scheduler("south"), scheduler("south too")
        job = adds.using(queue="south", run_after=timedelta(hours=1)).enqueue(1, 1)
    Job.objects.update(scheduled_at=clock.now() - timedelta(seconds=1))
    with events.listen("strange") as listener:
        dispatcher.dispatch_due()
        event = listener.hear(5)
    assert event is not None
    assert bells("south") == []
    north._hear(event)
    with as_south():
        younger._hear(event)
        assert bells("south") == []
        south._hear(event)
        assert bells("south") == [f"dj:{job.pk}"]


def test_a_lost_bell_of_a_queue_that_the_leader_does_not_know_is_rung_again() -> None:
    north = scheduler("north", leads=True)
    server("workers", queues=["default", "south"])
    adds.enqueue(1, 1)
    with as_south():
        south, younger = scheduler("south"), scheduler("south too")
        job = adds.using(queue="south").enqueue(1, 1)
    queues.connect("default", timeout=5).flushdb()
    Job.objects.update(state_at=clock.now() - timedelta(minutes=1))
    north._sweep()
    with as_south():
        younger._sweep()
        assert bells("default", "south") == []
        south._sweep()
        assert bells("default", "south") == [f"dj:{job.pk}"], "the leader sweeps what it knows"
        north.leadership.resign()
        Server.objects.filter(name="north").delete()
        south._sweep()
    assert len(bells("default", "south")) == 2, "without a leader, the oldest one sweeps them all"


def test_a_bell_that_could_not_be_rung_is_not_said_to_have_arrived() -> None:
    assert queues.ring([(1, "default", 0)])
    assert not queues.ring([(1, "default", 0), (2, "elsewhere", 0)])


def test_a_scheduler_takes_no_jobs_of_the_queues_that_it_rings_for() -> None:
    scheduler("without workers")
    assert monitoring.queue_waits()["default"]["servers"] == 0


def test_a_flood_of_due_jobs_leaves_time_for_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moves, "SET_SIZE", 1)
    monkeypatch.setattr(machine.move_due, "__kwdefaults__", {"limit": 1})
    jobs = [adds.schedule(timedelta(hours=1), n, n) for n in range(dispatcher.ROUNDS + 1)]
    Job.objects.update(scheduled_at=clock.now() - timedelta(seconds=1))
    assert dispatcher.dispatch_due() == 0.0
    assert Job.objects.filter(state="enqueued").count() == len(jobs) - 1
    assert dispatcher.dispatch_due() is None
