"""What is expected is what the history makes likely; where it says too little, nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_jobs import Batch, clock, estimates, monitoring, steering, tallies
from django_jobs.clock import clock as the_clock
from django_jobs.decorators import JobFunction, job
from django_jobs.estimates import waiting
from django_jobs.models import Job, JobState, RecurringJob, Server
from django_jobs.registry import registry
from django_jobs.states import machine
from django_jobs.testing import drain
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)
ME = "s/1"


def passes() -> None: ...


@pytest.fixture
def task() -> Iterator[JobFunction[Any, Any]]:
    yield job("t.lasts")(passes)
    registry.remove("t.lasts")


@pytest.fixture
def server() -> Server:
    """Two slots that take every queue, with one worker."""
    now = clock.now()
    facts: dict[str, Any] = {"host": "h", "pid": 1, "started_at": now, "heartbeat_at": now}
    queues = ["critical", "default", "low-priority"]
    row = Server.objects.create(name="s", kind="supervisor", slots=2, queues=queues, types=["t.lasts"], **facts)
    Server.objects.create(name=ME, kind="worker", parent=row, slots=2, **facts)
    return row


def have_run(task: JobFunction[Any, Any], seconds: list[float]) -> None:
    """Runs of the past that took so long."""
    task.enqueue_many([()] * len(seconds))
    drain()
    rows = list(Job.objects.filter(job_type=task.name, state="succeeded").order_by("-id")[: len(seconds)])
    for row, spent in zip(rows, seconds, strict=True):
        assert row.finished_at is not None
        Job.objects.filter(pk=row.pk).update(started_at=row.finished_at - timedelta(seconds=spent))
        JobState.objects.filter(job=row, name="succeeded").update(data={"seconds": spent})


def later(seconds: float) -> None:
    the_clock.anchor(clock.now() + timedelta(seconds=seconds))
    Server.objects.update(heartbeat_at=clock.now())


# How long


def test_a_type_lasts_as_its_newest_runs_did(task: JobFunction[Any, Any]) -> None:
    have_run(task, [9.0] * 5 + [10.0] * 10 + [11.0] * 5)
    span = estimates.duration("t.lasts")
    assert span is not None
    assert (span.low, span.likely, span.high) == pytest.approx((9, 10, 11), abs=0.1)


def test_one_run_that_hung_changes_little(task: JobFunction[Any, Any]) -> None:
    have_run(task, [1.0] * 60 + [100_000.0])
    span = estimates.duration("t.lasts")
    assert span is not None
    assert (span.likely, span.high) == pytest.approx((1, 1), abs=0.1)
    assert estimates.lasting(["t.lasts"])["t.lasts"].mean == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("runs", [0, 7])
def test_too_little_history_is_said_to_be_too_little(task: JobFunction[Any, Any], server: Server, runs: int) -> None:
    have_run(task, [1.0] * runs)
    assert estimates.duration("t.lasts") is None
    waiting = task.enqueue()
    assert estimates.drain("default") is None
    assert estimates.start(task.enqueue()) is None
    assert estimates.end(waiting) is None


def test_behind_many_that_wait_the_totals_tell(task: JobFunction[Any, Any]) -> None:
    have_run(task, [2.0] * 100)
    tallies.add_up()
    task.enqueue_many([()] * 500)
    span = estimates.duration("t.lasts")
    assert span is not None
    assert 1 <= span.low <= span.likely <= span.high <= 2.5


# When


def test_a_queue_is_empty_when_its_jobs_have_gone_through_the_slots(
    task: JobFunction[Any, Any], server: Server
) -> None:
    have_run(task, [9.0, 10.0, 11.0] * 10)
    assert estimates.drain("default") == estimates.Span(0, 0, 0)
    task.enqueue_many([()] * 100)
    span = estimates.drain("default")
    assert span is not None
    assert span.likely == pytest.approx(100 * 10 / 2, rel=0.02)
    assert span.low < span.likely < span.high < 1.2 * span.likely


def test_a_job_starts_after_those_ahead_of_it(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    older = task.enqueue_many([()] * 10)
    mine = task.enqueue()
    task.enqueue_many([()] * 10)
    urgent = task.using(priority=10).enqueue()
    before = task.using(queue="critical").enqueue_many([()] * 4)
    starts = {name: estimates.start(one) for name, one in [("mine", mine), ("urgent", urgent), ("first", before[0])]}
    assert all(starts.values())
    likely = {name: span.likely for name, span in starts.items() if span}
    assert likely == pytest.approx({"mine": (4 + 1 + 10) // 2 * 10, "urgent": 20, "first": 0}, abs=0.5)
    ends = estimates.end(older[0])
    assert ends is not None
    assert ends.likely == pytest.approx(20 + 10, abs=0.5)


def test_what_runs_already_counts_for_what_is_left_of_it(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    running = task.enqueue_many([()] * 2)
    machine.claim([row.pk for row in running], ["t.lasts"], ME)
    mine = task.enqueue()
    later(7)
    begins, ends = estimates.start(mine), estimates.end(monitoring.get(running[0].pk))
    assert begins is not None
    assert ends is not None
    assert (begins.likely, ends.likely) == pytest.approx((3, 3), abs=0.5)


def test_nobody_who_takes_the_queue_is_no_estimate(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    waiting = task.enqueue()
    assert estimates.start(waiting) is not None
    steering.pause_queue("default")
    assert estimates.start(waiting) is None
    steering.resume_queue("default")
    Server.objects.update(wanted="quiet")
    assert estimates.drain("default") is None


def test_a_delayed_job_starts_at_its_time_and_a_paused_one_at_none(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    delayed = task.schedule(timedelta(seconds=100))
    span = estimates.end(delayed)
    assert span is not None
    assert span.likely == pytest.approx(110, abs=1)
    delayed.pause()
    assert estimates.start(monitoring.get(delayed.pk)) is None


def test_a_batch_ends_with_its_last_member(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    task.enqueue_many([()] * 4)
    batch = Batch.start("b", [task.bind() for _ in range(6)])
    span = estimates.batch_end(batch)
    assert span is not None
    assert span.likely == pytest.approx(10 / 2 * 10, abs=10.5)
    (held,) = machine.claim([Job.objects.filter(batch=batch).order_by("id")[0].pk], ["t.lasts"], ME)
    machine.move([held.id], machine.Target("paused"), expected={"processing"})
    assert estimates.batch_end(batch) is None


def test_the_last_member_is_looked_for_among_all(
    task: JobFunction[Any, Any], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_run(task, [10.0] * 20)
    monkeypatch.setattr(waiting, "LOOK", 4)
    span = estimates.batch_end(Batch.start("b", [task.bind() for _ in range(12)]))
    assert span is not None
    assert span.likely == pytest.approx(60, abs=0.5)


@pytest.mark.parametrize("place", [0, -1])
def test_a_member_that_was_delayed_once_has_its_place_by_age(
    task: JobFunction[Any, Any], server: Server, place: int
) -> None:
    have_run(task, [10.0] * 20)
    batch = Batch.start("b", [task.bind() for _ in range(12)])
    delayed = list(Job.objects.filter(batch=batch).order_by("id"))[place]
    Job.objects.filter(pk=delayed.pk).update(scheduled_at=clock.now() - timedelta(hours=1))
    span = estimates.batch_end(batch)
    assert span is not None
    assert span.likely == pytest.approx(60, abs=0.5)


def test_the_last_member_is_of_the_lowest_band(task: JobFunction[Any, Any], server: Server) -> None:
    """Within a band the age tells, whatever the priority."""
    have_run(task, [10.0] * 20)
    low, lower = task.using(priority=-1), task.using(priority=-2)
    batch = Batch.start("b", [lower.bind(), *(task.bind() for _ in range(4)), low.bind(), task.bind()])
    span = estimates.batch_end(batch)
    assert span is not None
    assert span.likely == pytest.approx(40, abs=0.5)


def test_the_last_of_each_queue_counts_and_what_is_due_latest(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [10.0] * 20)
    critical, due = task.using(queue="critical"), [task.using(run_after=timedelta(seconds=at)) for at in (300, 200)]
    batch = Batch.start("b", [*(critical.bind() for _ in range(4)), task.bind(), *(one.bind() for one in due)])
    span = estimates.batch_end(batch)
    assert span is not None
    assert span.likely == pytest.approx(310, abs=1)
    Server.objects.filter(kind="supervisor").update(queues=["default"])
    assert estimates.batch_end(batch) is None


def test_members_of_parts_of_parts_count_with_as_many_queries_for_many_as_for_few(
    task: JobFunction[Any, Any], server: Server
) -> None:
    have_run(task, [10.0] * 20)

    def whole(members: int) -> Batch:
        inner = Batch.bind("inner", [task.bind() for _ in range(members)])
        return Batch.start("whole", [Batch.bind("part", [inner])])

    small, large = whole(2), whole(100)
    with CaptureQueriesContext(connection) as few:
        span = estimates.batch_end(small)
    assert span is not None
    assert span.likely == pytest.approx(10, abs=0.5)
    with CaptureQueriesContext(connection) as many:
        assert estimates.batch_end(large) is not None
    assert len(many) <= len(few) < 40


# Recurring jobs


def test_schedules_that_want_more_slots_than_there_are_collide(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [120.0] * 10)
    the_clock.anchor(datetime(2030, 1, 1, 12, 30, tzinfo=UTC))
    Server.objects.update(heartbeat_at=clock.now())
    for name in ("a", "b", "c"):
        RecurringJob.objects.add_or_update(name, task, cron="0 3 * * *")
    RecurringJob.objects.add_or_update("alone", task, cron="0 5 * * *")
    RecurringJob.objects.add_or_update("unknown", adds, cron="0 3 * * *", args=[1, 1])
    (found,) = estimates.collisions()
    assert (found.queue, found.schedules, found.slots) == ("default", ("a", "b", "c"), 2)
    assert found.at == datetime(2030, 1, 2, 3, tzinfo=UTC)
    assert found.delay == pytest.approx(120, abs=1)
    Server.objects.filter(kind="supervisor").update(slots=3)
    assert estimates.collisions() == []


def test_a_schedule_that_comes_faster_than_it_runs_collides_with_itself(
    task: JobFunction[Any, Any], server: Server
) -> None:
    have_run(task, [150.0] * 10)
    RecurringJob.objects.add_or_update("each-minute", task, cron="* * * * *")
    (found,) = estimates.collisions(hours=1)
    assert found.schedules == ("each-minute",)
    assert found.delay > 60


def test_a_broken_schedule_collides_with_nothing(task: JobFunction[Any, Any], server: Server) -> None:
    have_run(task, [150.0] * 10)
    RecurringJob.objects.add_or_update("each-minute", task, cron="* * * * *")
    for broken in ({"time_zone": "Mars/Olympus"}, {"cron": "no cron"}):
        RecurringJob.objects.update(**broken)
        assert estimates.collisions(hours=1) == []


# Costs


def test_an_estimate_asks_as_much_of_a_long_queue_as_of_a_short_one(
    task: JobFunction[Any, Any], server: Server
) -> None:
    have_run(task, [1.0] * 10)
    task.enqueue()
    with CaptureQueriesContext(connection) as short:
        estimates.drain("default")
    task.enqueue_many([()] * 300)
    with CaptureQueriesContext(connection) as long:
        estimates.drain("default")
    assert len(long) == len(short) < 20


def test_many_types_are_asked_for_at_once(task: JobFunction[Any, Any]) -> None:
    have_run(task, [1.0] * 10)
    adds.enqueue_many([(1, 1)] * 10)
    drain()
    with CaptureQueriesContext(connection) as asked:
        known = estimates.lasting(["t.lasts", "tests.adds", *(f"never.{number}" for number in range(90))])
    assert set(known) == {"t.lasts", "tests.adds"}
    assert len(asked) == 2
    assert estimates.lasting([]) == {}


def test_a_queue_that_others_overtake_is_told_by_its_pace(task: JobFunction[Any, Any], server: Server) -> None:
    """By the run times it would be empty in a second; but its first job has waited for minutes."""
    have_run(task, [0.01] * 20)
    task.using(queue="low-priority").enqueue_many([()] * 12)
    later(200)
    assert estimates.drain("low-priority") is None
    have_run(task.using(queue="low-priority"), [0.01] * 6)
    task.using(queue="low-priority").enqueue_many([()] * 6)
    Job.objects.filter(state="enqueued").update(state_at=clock.now() - timedelta(seconds=200))
    span = estimates.drain("low-priority")
    assert span is not None
    assert span.low < 1
    assert 5 < span.likely < span.high
