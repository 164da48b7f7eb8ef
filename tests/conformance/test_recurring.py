"""The leader's tick on every database, with a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connections, transaction

from django_jobs import clock, queues, runs, states
from django_jobs.models import Job, RecurringJob
from django_jobs.server import recurring
from django_jobs.server.recurring import fire_due
from django_jobs.states import machine
from django_jobs.states.filters import Creation, Filter
from tests.app.jobs import adds, succeeds
from tests.app.limited import once_for_its_arguments, one_per_customer

pytestmark = pytest.mark.django_db(transaction=True)

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
"""A Monday."""


class MovableClock:
    """What `clock.now` says; the scheduler's loop is played by `until`."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def until(self, end: datetime, longest: timedelta = timedelta(hours=1)) -> None:
        """Let time pass as the scheduler sees it: it sleeps until the next tick, at most `longest`."""
        while self.at < end:
            pause = fire_due()
            step = longest if pause is None else min(longest, timedelta(seconds=pause))
            self.at = min(end, self.at + max(step, timedelta(microseconds=1)))
        fire_due()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[MovableClock]:
    moved = MovableClock(NOON)
    monkeypatch.setattr(clock, "now", moved.now)
    return moved


def add(id: str = "report", job_type: Any = succeeds, /, **terms: Any) -> RecurringJob:
    return RecurringJob.objects.add_or_update(id, job_type, **{"cron": "0 * * * *", **terms})


def ticks(id: str = "report", zone: ZoneInfo = NEW_YORK) -> list[str]:
    """The ticks that became jobs, on the wall clock of the zone."""
    rows = Job.objects.filter(recurring_job=id, tick__isnull=False).order_by("tick")
    return [f"{tick.astimezone(zone):%d %H:%M %Z}" for tick in rows.values_list("tick", flat=True)]


def run(*jobs: Job, state: str = states.SUCCEEDED) -> None:
    """Let a worker take the jobs, and end them unless they are to stay Processing."""
    machine.claim([job.pk for job in jobs], ["tests.succeeds", "tests.adds"], "worker")
    if state != states.PROCESSING:
        machine.move([job.pk for job in jobs], machine.Target(state), expected={states.PROCESSING})


def last(id: str = "report") -> Job:
    return Job.objects.filter(recurring_job=id).latest("pk")


def fresh(row: RecurringJob) -> RecurringJob:
    return RecurringJob.objects.get(pk=row.pk)


def test_a_tick_becomes_one_job_at_its_time(time: MovableClock) -> None:
    row = add("report", adds, args=[1, 2], queue="critical", priority=7)
    assert row.next_run == NOON + timedelta(hours=1)
    assert fire_due() == 3600
    time.at += timedelta(hours=1)
    assert fire_due() == 3600
    assert fire_due() == 3600
    job = Job.objects.get()
    assert (job.job_type, job.args, job.queue, job.priority, job.state) == (
        "tests.adds", [1, 2], "critical", 7, "enqueued",
    )  # fmt: skip
    assert (job.recurring_job_id, job.tick, job.scheduled_at, job.created_at) == ("report", time.at, time.at, time.at)
    assert queues.waiting("critical") == {job.pk}
    row = fresh(row)
    assert (row.last_job_id, row.last_run, row.next_run) == (job.pk, time.at, time.at + timedelta(hours=1))


SPRING = ["08 00:30 EST", "08 01:30 EST", "08 03:00 EDT", "08 03:30 EDT", "08 04:30 EDT"]
AUTUMN = ["01 00:30 EDT", "01 01:30 EDT", "01 01:30 EST", "01 02:30 EST", "01 03:30 EST", "01 04:30 EST"]


@pytest.mark.parametrize(
    ("cron", "begin", "table"),
    [
        ("30 * * * *", datetime(2026, 3, 8), SPRING),
        ("30 2 * * *", datetime(2026, 3, 8), ["08 03:00 EDT"]),
        ("30 1 * * *", datetime(2026, 3, 8), ["08 01:30 EST"]),
        ("0 3 * * *", datetime(2026, 3, 8), ["08 03:00 EDT"]),
        ("30 * * * *", datetime(2026, 11, 1), AUTUMN),
        ("30 1 * * *", datetime(2026, 11, 1), ["01 01:30 EDT"]),
        ("0 2 * * *", datetime(2026, 11, 1), ["01 02:00 EST"]),
    ],
)
@pytest.mark.parametrize("misfire", ["relaxed", "strict", "skip"])
def test_both_nights_of_new_york(
    time: MovableClock, cron: str, begin: datetime, table: list[str], misfire: str
) -> None:
    time.at = begin.replace(tzinfo=NEW_YORK).astimezone(UTC)
    add(cron=cron, time_zone="America/New_York", misfire=misfire)
    time.until(begin.replace(hour=4, minute=45).replace(tzinfo=NEW_YORK).astimezone(UTC), timedelta(minutes=7))
    assert ticks() == table


@pytest.mark.parametrize(
    ("misfire", "away", "made"),
    [
        ("relaxed", timedelta(hours=3, minutes=30), ["04 15:00 UTC"]),
        ("strict", timedelta(hours=3, minutes=30), ["04 13:00 UTC", "04 14:00 UTC", "04 15:00 UTC"]),
        ("skip", timedelta(hours=3, minutes=30), []),
        ("skip", timedelta(hours=3, seconds=20), ["04 15:00 UTC"]),
        ("skip", timedelta(hours=1, seconds=90), []),
        ("relaxed", timedelta(hours=1, seconds=90), ["04 13:00 UTC"]),
    ],
)
def test_missed_ticks_are_made_up_by_their_policy(
    time: MovableClock, misfire: str, away: timedelta, made: list[str]
) -> None:
    add(misfire=misfire)
    time.at += away
    fire_due()
    assert ticks(zone=ZoneInfo("UTC")) == made
    assert fresh(RecurringJob(pk="report")).next_run == time.at.replace(minute=0, second=0) + timedelta(hours=1)


def test_strict_makes_up_no_more_than_the_limit_the_latest_first(time: MovableClock, settings: Any) -> None:
    settings.DJANGO_JOBS = {"MISFIRE_LIMIT": 3}
    add(misfire="strict", cron="* * * * * *")
    time.at += timedelta(days=400)
    fire_due()
    assert [job.tick for job in Job.objects.order_by("tick")] == [time.at - timedelta(seconds=n) for n in (2, 1, 0)]


@pytest.mark.parametrize("misfire", ["relaxed", "strict", "skip"])
def test_a_clock_that_steps_back_repeats_no_tick(time: MovableClock, misfire: str) -> None:
    add(misfire=misfire, cron="*/10 * * * *")
    time.until(NOON + timedelta(hours=2))
    before = ticks()
    assert len(before) == 12
    time.at -= timedelta(hours=1)
    time.until(NOON + timedelta(hours=2))
    assert ticks() == before
    time.until(NOON + timedelta(hours=3))
    assert len(ticks()) == 18


@pytest.mark.parametrize(("misfire", "made"), [("relaxed", 1), ("strict", 24), ("skip", 1)])
def test_a_clock_that_steps_forward_a_day_misses_ticks(time: MovableClock, misfire: str, made: int) -> None:
    add(misfire=misfire)
    time.at += timedelta(days=1)
    fire_due()
    assert len(ticks()) == made


def test_a_leader_that_reckoned_before_another_one_fired_fires_nothing(time: MovableClock) -> None:
    row = add()
    time.at += timedelta(hours=1)
    late = recurring._reckon(fresh(row), time.at)
    fire_due()
    assert late is not None
    assert recurring._fire([late], time.at) == 0
    assert Job.objects.count() == 1


def test_the_database_lets_no_tick_be_doubled(time: MovableClock) -> None:
    row = add()
    machine.create([runs.new_job(row, NOON, tick=NOON)])
    with pytest.raises(IntegrityError), transaction.atomic():
        machine.create([runs.new_job(row, NOON, tick=NOON)])
    machine.create([runs.new_job(row, NOON), runs.new_job(row, NOON)])


class Killed(BaseException):
    """What nothing catches, as nothing catches SIGKILL."""


@pytest.mark.parametrize("at", ["before the jobs", "after the jobs", "after the schedules"])
def test_a_leader_that_dies_within_a_tick_leaves_it_to_the_next(
    time: MovableClock, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    rows = [add("a"), add("b")]
    time.at += timedelta(hours=1)

    def dies(*args: Any) -> None:
        raise Killed

    create, write = machine.create, recurring._write
    with monkeypatch.context() as patch, pytest.raises(Killed):
        match at:
            case "before the jobs":
                patch.setattr(machine, "create", dies)
            case "after the jobs":
                patch.setattr(recurring, "_write", dies)
            case _:
                patch.setattr(recurring, "_make", lambda *args: (make(*args), dies())[0])
        fire_due()
    assert (machine.create, recurring._write) == (create, write)
    assert Job.objects.count() == 0
    assert {fresh(row).next_run for row in rows} == {time.at}
    fire_due()
    assert [job.recurring_job_id for job in Job.objects.order_by("recurring_job")] == ["a", "b"]


make = recurring._make


def test_a_tick_that_was_made_before_is_passed_over(time: MovableClock) -> None:
    """As after a restored backup of the schedules alone."""
    row, other = add(), add("other")
    machine.create([runs.new_job(row, NOON, tick=NOON + timedelta(hours=1))])
    time.at += timedelta(hours=1)
    fire_due()
    assert Job.objects.filter(recurring_job="report").count() == 1
    assert fresh(row).next_run == fresh(other).next_run == NOON + timedelta(hours=2)
    assert fresh(row).error == ""


@pytest.mark.parametrize("overlap", ["allow", "skip", "queue"])
def test_a_tick_while_the_last_run_goes_on(time: MovableClock, overlap: str) -> None:
    row = add(overlap=overlap)
    time.at += timedelta(hours=1)
    fire_due()
    running = last()
    run(running, state=states.PROCESSING)
    for _ in range(2):
        time.at += timedelta(hours=1)
        fire_due()
    made = [job.state for job in Job.objects.order_by("pk")]
    assert (
        made
        == {
            "allow": ["processing", "enqueued", "enqueued"],
            "skip": ["processing"],
            "queue": ["processing", "awaiting"],
        }[overlap]
    )
    machine.move([running.pk], machine.Target(states.SUCCEEDED), expected={states.PROCESSING})
    fire_due()
    if overlap == "queue":
        waited = last()
        assert (waited.state, waited.state_reason) == ("enqueued", "The last run has ended")
        assert queues.waiting("default") >= {waited.pk}
        assert fresh(row).waiting_job_id is None
    time.at += timedelta(hours=1)
    fire_due()
    assert Job.objects.count() == {"allow": 4, "skip": 2, "queue": 3}[overlap]


def test_a_run_that_waits_for_its_retry_goes_on(time: MovableClock) -> None:
    add(overlap="skip")
    time.at += timedelta(hours=1)
    fire_due()
    job = last()
    machine.move([job.pk], machine.Target("scheduled", "Retry 1 of 3"), expected={states.ENQUEUED})
    time.at += timedelta(hours=1)
    fire_due()
    assert Job.objects.count() == 1


def test_a_waiting_run_that_was_cancelled_makes_room_for_the_next(time: MovableClock) -> None:
    row = add(overlap="queue")
    time.at += timedelta(hours=1)
    fire_due()
    run(last(), state=states.PROCESSING)
    time.at += timedelta(hours=1)
    fire_due()
    assert last().cancel()
    fire_due()
    assert fresh(row).waiting_job_id is None
    time.at += timedelta(hours=1)
    fire_due()
    assert last().state == "awaiting"


def test_a_waiting_run_that_was_paused_is_not_forgotten(time: MovableClock) -> None:
    row = add(overlap="queue")
    time.at += timedelta(hours=1)
    fire_due()
    running = last()
    run(running, state=states.PROCESSING)
    time.at += timedelta(hours=1)
    fire_due()
    waiting = last()
    assert waiting.pause()
    machine.move([running.pk], machine.Target(states.SUCCEEDED), expected={states.PROCESSING})
    fire_due()
    assert fresh(row).waiting_job_id == waiting.pk
    assert waiting.resume()
    fire_due()
    assert last().state == "enqueued"
    assert fresh(row).waiting_job_id is None


def test_a_run_that_waits_when_its_schedule_is_deleted_runs(time: MovableClock) -> None:
    row = add(overlap="queue")
    time.at += timedelta(hours=1)
    fire_due()
    run(last(), state=states.PROCESSING)
    time.at += timedelta(hours=1)
    fire_due()
    fresh(row).delete()
    assert (last().state, last().recurring_job_id) == ("enqueued", "report")


def test_a_broken_schedule_is_tried_again_then_switched_off_and_stops_no_other(time: MovableClock) -> None:
    row = add("a broken one")
    add("z other")
    RecurringJob.objects.filter(pk=row.pk).update(time_zone="Mars/Olympus")
    time.at += timedelta(hours=1)
    fire_due()
    assert len(ticks("z other")) == 1
    row = fresh(row)
    assert row.enabled
    assert "Mars/Olympus" in row.error
    time.until(time.at + timedelta(minutes=10))
    row = fresh(row)
    assert (row.enabled, row.next_run, row.failures) == (False, None, 5)
    RecurringJob.objects.filter(pk=row.pk).update(time_zone="UTC")
    assert fresh(row).enable()
    row = fresh(row)
    assert (row.error, row.failures, row.next_run) == ("", 0, NOON + timedelta(hours=2))


def test_a_schedule_that_is_whole_again_makes_up_what_it_missed(time: MovableClock) -> None:
    row = add()
    RecurringJob.objects.filter(pk=row.pk).update(cron="not cron")
    time.at += timedelta(hours=1)
    fire_due()
    RecurringJob.objects.filter(pk=row.pk).update(cron="0 * * * *")
    time.until(time.at + timedelta(seconds=15))
    assert ticks(zone=ZoneInfo("UTC")) == ["04 13:00 UTC"]
    assert fresh(row).error == ""


def test_a_call_that_no_database_takes_stops_no_other(time: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    row = add("b poisoned")
    others = [add("a"), add("c"), add("d")]
    new_job = runs.new_job

    def poisoned(row: RecurringJob, *args: Any, **kwargs: Any) -> Job:
        if row.pk == "b poisoned":
            raise ValueError("what no database takes")
        return new_job(row, *args, **kwargs)

    monkeypatch.setattr(runs, "new_job", poisoned)
    time.at += timedelta(hours=1)
    fire_due()
    assert Job.objects.count() == len(others)
    assert "what no database takes" in fresh(row).error


class Marks(Filter):
    """Changes one schedule's calls and refuses another's."""

    def creating(self, creation: Creation) -> None:
        if creation.args == ["refuse"]:
            creation.cancel("closed today")
        if creation.args == ["break"]:
            raise LookupError("a broken filter")
        creation.args = ["marked"]
        creation.tags = ["nightly"]


def test_filters_change_refuse_and_break_single_runs(time: MovableClock, settings: Any) -> None:
    settings.DJANGO_JOBS = {"FILTERS": [f"{__name__}.Marks"]}
    for id in ("take", "refuse", "break"):
        add(id, succeeds, args=[id], queue="critical")
    time.at += timedelta(hours=1)
    fire_due()
    job = Job.objects.get()
    assert (job.recurring_job_id, job.args, job.tags, job.queue) == ("take", ["marked"], ["nightly"], "critical")
    refused, broken = (RecurringJob.objects.get(pk=id) for id in ("refuse", "break"))
    assert (refused.next_run, refused.last_job_id, refused.error) == (NOON + timedelta(hours=2), None, "")
    assert "a broken filter" in broken.error


class PutsOff(Filter):
    """Assigns what is not part of a schedule's call."""

    def creating(self, creation: Creation) -> None:
        creation.created_by = get_user_model().objects.get(username="night-watch")
        creation.run_after = timedelta(hours=3)
        creation.expires = creation.expires or timedelta(minutes=5)


@pytest.mark.parametrize(("expires", "lasts"), [(None, timedelta(minutes=5)), (timedelta(minutes=9),) * 2])
def test_filters_may_say_when_a_run_is_due_when_it_expires_and_whose_it_is(
    time: MovableClock, settings: Any, expires: timedelta | None, lasts: timedelta
) -> None:
    settings.DJANGO_JOBS = {"FILTERS": [f"{__name__}.PutsOff"]}
    user = get_user_model().objects.create_user("night-watch")
    row = add(expires=expires)
    time.at += timedelta(hours=1)
    fire_due()
    by_tick, due = last(), time.at + timedelta(hours=3)
    assert (by_tick.tick, fresh(row).last_job_id) == (time.at, by_tick.pk)
    for made in (by_tick, row.trigger()):
        made.refresh_from_db()
        assert (made.state, made.created_state) == ("scheduled", "scheduled")
        assert (made.scheduled_at, made.start_before) == (due, due + lasts)
        assert (made.created_by_id, made.created_by_name) == (user.pk, "night-watch")


def test_a_run_that_waited_for_the_last_one_and_is_put_off_waits_for_its_time_then(
    time: MovableClock, settings: Any
) -> None:
    get_user_model().objects.create_user("night-watch")
    add(overlap="queue")
    time.at += timedelta(hours=1)
    fire_due()
    run(first := last(), state=states.PROCESSING)
    settings.DJANGO_JOBS = {"FILTERS": [f"{__name__}.PutsOff"]}
    time.at += timedelta(hours=1)
    fire_due()
    due = time.at + timedelta(hours=3)
    assert (last().state, last().scheduled_at) == ("awaiting", due)
    machine.move([first.pk], machine.Target(states.SUCCEEDED), expected={states.PROCESSING})
    fire_due()
    assert (last().state, last().scheduled_at) == ("scheduled", due)
    assert not RecurringJob.objects.filter(waiting_job__isnull=False)


def test_a_tick_of_a_unique_type_makes_no_second_job(time: MovableClock) -> None:
    row = add("unique", once_for_its_arguments, args=[1])
    time.at += timedelta(hours=1)
    fire_due()
    first = last("unique")
    assert first.active_key
    time.at += timedelta(hours=1)
    fire_due()
    assert Job.objects.count() == 1
    assert fresh(row).last_job_id == first.pk
    assert row.trigger() == first
    first.cancel()
    time.at += timedelta(hours=1)
    fire_due()
    assert last("unique").tick == time.at


def test_a_tick_has_the_concurrency_key_of_its_type(time: MovableClock) -> None:
    add("per customer", one_per_customer, args=["acme"])
    time.at += timedelta(hours=1)
    fire_due()
    assert (
        last("per customer").concurrency_key
        == add("other", one_per_customer, args=["acme"]).trigger().concurrency_key
        != ""
    )


def test_a_row_that_somebody_holds_comes_later(time: MovableClock) -> None:
    if not connections["default"].features.has_select_for_update_skip_locked:
        pytest.skip("this database locks no rows")
    add("held"), add("free")
    time.at += timedelta(hours=1)
    connection = connections.create_connection("default")
    try:
        connection.set_autocommit(False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_jobs_recurringjob WHERE id = 'held' FOR UPDATE")
            fire_due()
            assert [job.recurring_job_id for job in Job.objects.all()] == ["free"]
        connection.rollback()
    finally:
        connection.close()
    fire_due()
    assert Job.objects.count() == 2


def test_start_and_end_bound_the_timetable(time: MovableClock) -> None:
    row = add(starts_at=NOON + timedelta(hours=2), ends_at=NOON + timedelta(hours=4))
    time.until(NOON + timedelta(hours=9))
    assert ticks(zone=ZoneInfo("UTC")) == ["04 14:00 UTC", "04 15:00 UTC", "04 16:00 UTC"]
    assert fresh(row).next_run is None


def test_jitter_puts_runs_off(time: MovableClock) -> None:
    add(jitter=600)
    time.at += timedelta(hours=1)
    fire_due()
    job = Job.objects.get()
    assert (job.state, job.tick) == ("scheduled", time.at)
    assert job.scheduled_at is not None
    assert time.at < job.scheduled_at <= time.at + timedelta(seconds=600)


def test_more_than_one_set_is_fired_in_one_round(time: MovableClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurring, "SET", 7)
    for number in range(50):
        add(f"n{number}")
    time.at += timedelta(hours=1)
    assert fire_due() == 3600
    assert Job.objects.count() == 50
