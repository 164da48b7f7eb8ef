"""The leader's loops and the worker's parts, each by itself."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, load_command_class
from django.db import OperationalError
from django.db.utils import ConnectionDoesNotExist

from django_jobs import clock, monitoring, queues, states
from django_jobs.conf import process_count, settings, thread_count
from django_jobs.models import Counter, Job, JobState, Lease, Server
from django_jobs.server import cleaner, routing
from django_jobs.server.dispatcher import dispatch_due, sweep
from django_jobs.server.hand import Hand
from django_jobs.server.leader import Leadership
from django_jobs.server.pace import Backlog, Pace
from django_jobs.server.process import Clockwork, Duty, Stop, persistently
from django_jobs.server.watchdog import Watchdog
from django_jobs.states import machine
from django_jobs.states.moves import Target
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db(transaction=True)


def server(name: str, age: float = 0, **facts: Any) -> Server:
    at = clock.now() - timedelta(seconds=age)
    facts = {"kind": "supervisor", "host": "h", "pid": 1, "slots": 1, **facts}
    return Server.objects.create(name=name, started_at=at, heartbeat_at=at, **facts)


def reload(job: Job) -> Job:
    job.refresh_from_db()
    return job


class TestDispatcher:
    def test_it_tells_when_the_next_job_is_due(self) -> None:
        assert dispatch_due() is None
        adds.schedule(timedelta(seconds=100), 1, 1)
        assert 95 < (dispatch_due() or 0) <= 100

    def test_due_jobs_get_their_bells_at_once(self) -> None:
        job = adds.schedule(timedelta(seconds=0.05), 1, 1)
        time.sleep(0.06)
        dispatch_due()
        assert queues.waiting("default") == {job.pk}
        assert reload(job).state == "enqueued"

    def test_a_due_job_whose_row_somebody_holds_is_not_looked_at_without_a_pause(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held = adds.schedule(timedelta(seconds=0.05), 1, 1)
        time.sleep(0.06)
        with monkeypatch.context() as patch:
            patch.setattr(machine, "move_due", lambda at: [])  # as where `SKIP LOCKED` leaves it out
            assert dispatch_due() is None
            adds.schedule(timedelta(seconds=100), 1, 1)
            assert 95 < (dispatch_due() or 0) <= 100
        dispatch_due()
        assert reload(held).state == "enqueued"

    def test_the_sweep_deletes_what_came_too_late(self) -> None:
        late = adds.using(expires=timedelta(seconds=-1)).enqueue(1, 1)
        sweep()
        assert (reload(late).state, late.state_reason) == ("deleted", "Expired: it could not start in time")


class TestRouting:
    def test_a_bell_without_a_row_or_of_another_state_vanishes(self) -> None:
        job = adds.enqueue(1, 1)
        job.cancel()
        assert routing.forward([job.pk, 10**9], ["tests.adds"]) == []
        assert reload(job).state == "deleted"

    def test_an_unknown_type_goes_to_the_address_of_a_server_that_takes_it(self) -> None:
        server("other", queues=["default"], types=["tests.succeeds"], address="app.2")
        job = succeeds.using(priority=7).enqueue()
        queues.connect("default", timeout=5).flushdb()
        routing.forward([job.pk], ["tests.adds"])
        client = queues.connect("default", timeout=5)
        assert client.lrange("rq:queue:default@app.2:+1", 0, -1) == [f"dj:{job.pk}".encode()]
        assert "rq:queue:default@app.2:+1" in queues.keys_of(["default"], "app.2")

    def test_a_job_that_somebody_has_locked_comes_back_later(self) -> None:
        job = adds.enqueue(1, 1)
        assert routing.forward([job.pk], ["tests.adds"]) == [(job.pk, "default", 0)]


class TestWatchdog:
    @pytest.fixture(autouse=True)
    def short_timeout(self, settings: Any) -> None:
        settings.DJANGO_JOBS = {"SERVER_TIMEOUT": 0.6}

    def watch(self, dog: Watchdog, seconds: float = 0.9, alive: tuple[Server, ...] = ()) -> None:
        """Observe for so long; the `alive` ones show a sign of life each time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for row in alive:
                Server.objects.filter(pk=row.pk).update(heartbeat_at=clock.now())
            dog.observe()
            time.sleep(0.01)
        dog.act()

    def test_a_silent_workers_jobs_go_back(self) -> None:
        silent, alive = server("s"), server("t")
        server("s/1", kind="worker", parent=silent)
        living = server("t/1", kind="worker", parent=alive)
        mine, other = adds.enqueue_many([(1, 1), (2, 2)])
        machine.claim([mine.pk], ["tests.adds"], "s/1")
        machine.claim([other.pk], ["tests.adds"], "t/1")
        self.watch(Watchdog(), alive=(alive, living))
        assert [reload(mine).state, reload(other).state] == ["enqueued", "processing"]
        assert mine.deaths == 0
        assert set(Server.objects.values_list("name", flat=True)) == {"t", "t/1"}

    def test_clocks_that_differ_make_nobody_dead(self) -> None:
        ahead, behind = server("ahead", age=-3600), server("behind", age=3600)
        dog = Watchdog()
        self.watch(dog, seconds=0.05)
        assert Server.objects.count() == 2
        Server.objects.filter(pk=ahead.pk).update(heartbeat_at=ahead.heartbeat_at - timedelta(hours=2))
        Server.objects.filter(pk=behind.pk).update(heartbeat_at=behind.heartbeat_at + timedelta(seconds=1))
        self.watch(dog, seconds=0.05)
        assert Server.objects.count() == 2
        self.watch(dog)
        assert Server.objects.count() == 0, "they are silent, whatever their clocks said"

    def test_jobs_of_a_worker_without_a_row_go_back(self) -> None:
        job = adds.enqueue(1, 1)
        machine.claim([job.pk], ["tests.adds"], "nobody/1")
        Watchdog().act()
        assert reload(job).state == "processing", "it was only just claimed"
        Job.objects.filter(pk=job.pk).update(state_at=clock.now() - timedelta(minutes=1))
        Watchdog().act()
        assert reload(job).state == "enqueued"

    def test_one_that_was_cut_off_begins_anew(self) -> None:
        server("s")
        dog = Watchdog()
        dog.observe()
        time.sleep(1.2)
        dog.observe()
        dog.act()
        assert Server.objects.count() == 1

    def test_one_that_asked_in_vain_begins_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server("s")
        dog = Watchdog()
        dog.observe()
        with monkeypatch.context() as patch:
            patch.setattr(settings, "DATABASE", "away")
            for _ in range(12):
                time.sleep(0.1)
                with pytest.raises(ConnectionDoesNotExist):
                    dog.observe()
        dog.observe()
        dog.act()
        assert Server.objects.count() == 1, "nobody could show a sign of life meanwhile"

    def test_one_whose_question_was_answered_late_begins_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server("s")
        dog = Watchdog()
        dog.observe()
        ask = Server.objects.using

        def asks_long(alias: str) -> Any:
            time.sleep(1.2)
            return ask(alias)

        with monkeypatch.context() as patch:
            patch.setattr(Server.objects, "using", asks_long)
            dog.observe()
        dog.act()
        assert Server.objects.count() == 1

    def test_one_that_was_held_up_does_not_act_on_what_it_saw_before(self) -> None:
        server("s")
        dog = Watchdog()
        dog.observe()
        time.sleep(1.2)  # by a lock that another of the leader's duties waits for, say
        dog.act()
        assert Server.objects.count() == 1


class TestLeadership:
    def test_one_leads_and_the_next_takes_over_when_the_lease_ran_out(self) -> None:
        first, second = Leadership("a"), Leadership("b")
        assert first.hold()
        assert not second.hold()
        assert first.hold(), "it renews"
        Lease.objects.update(until=clock.now() - timedelta(seconds=1))
        assert second.hold()
        assert not first.hold()

    def test_a_clock_that_stepped_back_keeps_no_dead_leader(self) -> None:
        first, second = Leadership("a"), Leadership("b")
        first.hold()
        Lease.objects.update(until=clock.now() + timedelta(hours=1))
        assert second.hold()

    def test_one_that_resigns_leaves_the_lease_free(self) -> None:
        first, second = Leadership("a"), Leadership("b")
        first.hold()
        first.resign()
        assert second.hold()
        first.resign()
        assert not first.hold()


class TestCleaner:
    def end(self, count: int, state: str = states.DELETED) -> list[Job]:
        jobs = adds.enqueue_many([(n, n) for n in range(count)])
        machine.move([job.pk for job in jobs], Target(state, "test"), expected={states.ENQUEUED})
        return jobs

    def test_what_was_kept_long_enough_is_deleted_with_its_history(self) -> None:
        old, young = self.end(3), self.end(2)
        Job.objects.filter(pk__in=[job.pk for job in old]).update(expires_at=clock.now() - timedelta(seconds=1))
        waiting = adds.enqueue(1, 1)
        cleaner.clean()
        assert set(Job.objects.values_list("pk", flat=True)) == {job.pk for job in [*young, waiting]}
        assert JobState.objects.count() == 2
        assert monitoring.counts()["deleted"].number == 2

    def test_counters_fold_to_the_same_sums(self) -> None:
        for _ in range(5):
            self.end(2)
        before = monitoring.counts()["deleted"]
        assert Counter.objects.count() == 5
        cleaner.fold_counters()
        assert Counter.objects.count() == 1
        assert monitoring.counts()["deleted"] == before

    def test_counters_fold_however_many_hours_are_stored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cleaner, "BATCH", 2)
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        old = [Counter(name="deleted", hour=hour - timedelta(hours=n), value=1) for n in range(1, 30)]
        Counter.objects.bulk_create([*old, *(Counter(name="deleted", hour=hour, value=1) for _ in range(30))])
        while cleaner.fold_counters() is not None:
            pass
        assert Counter.objects.count() == 30
        assert monitoring.counts()["deleted"].number == 59


class TestHand:
    def claimed(self, number: int) -> Any:
        return machine.Claimed(number, "t", "[]", "{}", 1, "default", 0, 0)

    def test_every_job_is_handed_out_once(self) -> None:
        hand = Hand()
        hand.deal([self.claimed(1), self.claimed(2), self.claimed(3)])
        first = hand.next()
        assert first is not None
        assert hand.take_waiting(behind=10) == [], "the running one is not long yet"
        first.since -= 11
        assert [job.id for job in hand.take_waiting(behind=10)] == [2, 3]
        hand.end(first, None)
        assert hand.next() is None
        assert hand.empty

    def test_what_waits_goes_back_only_when_every_slot_is_long(self) -> None:
        hand = Hand(2)
        hand.deal([self.claimed(n) for n in range(4)])
        first, second = hand.next(0), hand.next(1)
        assert first is not None
        assert second is not None
        first.since -= 11
        assert hand.take_waiting(behind=10) == []
        second.since -= 11
        hand.end(first, None)
        assert hand.take_waiting(behind=10) == [], "a slot is free"
        third = hand.next(0)
        assert third is not None
        third.since -= 11
        assert [job.id for job in hand.take_waiting(behind=10)] == [3]
        assert hand.room(10) == 0, "what went back is not claimed again before something has ended"
        hand.end(third, None)
        assert hand.room(10) == 11

    def test_a_suspect_runs_alone(self) -> None:
        hand = Hand(3)
        hand.deal([self.claimed(1)._replace(deaths=1), self.claimed(2), self.claimed(3)._replace(deaths=1)])
        second = hand.next(0)
        assert second is not None
        assert second.job.id == 2
        assert hand.next(1) is None, "a suspect waits until nothing runs"
        assert hand.room(0) == 0, "and no more is claimed"
        hand.end(second, None)
        first = hand.next(1)
        assert first is not None
        assert first.job.id == 1
        hand.deal([self.claimed(4)])
        assert hand.next(0) is None, "nothing starts beside a suspect"
        hand.end(first, None)
        assert [running.job.id for running in [hand.next(0)] if running] == [4]
        assert hand.take_waiting(behind=0.0)[0].id == 3, "a worker that stops puts suspects back, too"

    def test_there_is_room_for_free_slots_and_a_backlog(self) -> None:
        hand = Hand(4)
        assert (hand.room(0), hand.room(10)) == (4, 14)
        hand.deal([self.claimed(n) for n in range(12)])
        assert hand.room(10) == 0, "more than half of the backlog is there"
        for slot in range(4):
            hand.next(slot)
        hand.take_waiting()
        assert (hand.room(0), hand.room(10)) == (0, 10)

    def test_a_locked_jobs_bell_waits_its_time(self) -> None:
        hand = Hand()
        hand.postpone([(1, "default", 0)], 60)
        hand.postpone([(2, "default", 0)], 0)
        assert hand.take_postponed() == [(2, "default", 0)]
        assert not hand.empty
        assert hand.take_postponed(all=True) == [(1, "default", 0)]
        assert hand.empty


class TestPace:
    def test_sets_grow_while_they_are_quick_and_shrink_to_one_behind_long_jobs(self) -> None:
        pace = Pace()
        for _ in range(10):
            pace.learn(pace.size, pace.size * 0.00001)
        assert pace.size == 128
        pace.learn(1, 2.0)
        assert pace.size == 1

    def test_a_dry_queue_makes_sets_smaller(self) -> None:
        pace = Pace()
        pace.size = 64
        pace.idle()
        assert pace.size == 16


class TestBacklog:
    def test_nothing_waits_behind_long_jobs_and_much_behind_quick_ones(self) -> None:
        backlog = Backlog(10)
        assert backlog.size == 0
        for _ in range(20):
            backlog.learn(0.05)
        assert 3 <= backlog.size <= 4
        for _ in range(50):
            backlog.learn(0.0001)
        assert backlog.size == 128
        backlog.learn(5.0)
        assert backlog.size == 0


class TestClockwork:
    def test_a_duty_that_fails_comes_again_and_stops_no_other(self, caplog: pytest.LogCaptureFixture) -> None:
        done: list[str] = []

        def breaks() -> None:
            done.append("broken")
            raise RuntimeError("no")

        clockwork = Clockwork([Duty("One", 0, breaks), Duty("Two", 0, lambda: done.append("two"))])
        clockwork.turn()
        clockwork.turn()
        assert done == ["broken", "two"] * 2
        assert caplog.text.count("Traceback") == 1

    def test_a_duty_may_ask_to_come_sooner(self) -> None:
        assert Clockwork([Duty("One", 60, lambda: 0.5)]).turn() <= 0.5
        assert Clockwork([Duty("One", 60, lambda: None)]).turn() > 59


def test_persistence_outlasts_the_database() -> None:
    tries: list[int] = []

    def third_time() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("gone away")
        return "done"

    assert persistently(third_time, "a test waits") == "done"
    with pytest.raises(OperationalError):
        persistently(lambda: (_ for _ in ()).throw(OperationalError("gone")), "a test", lambda: True)


def test_a_signal_sent_twice_at_once_is_one_request() -> None:
    stop = Stop()
    stop.request()
    stop.request()
    assert stop
    assert not stop.now
    stop._first -= 2
    stop.request()
    assert stop.now


def test_thread_counts() -> None:
    assert thread_count("10") == 10
    for wrong in ("0", "-1", "many", True, 1001, ""):
        with pytest.raises(ValueError, match="is no thread count"):
            thread_count(wrong)


def test_process_counts() -> None:
    one = process_count("1x")
    assert process_count("auto") == one
    assert process_count("3x") == 3 * one
    assert process_count(0) == 0
    for wrong in ("", "x", "-1", "1.5", "fivex"):
        with pytest.raises(ValueError, match="is no process count"):
            process_count(wrong)


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        *[("--max-jobs", value, "number of jobs") for value in ("0", "-1", "many")],
        *[("--max-memory", value, "number of megabytes") for value in ("0", "-5", "nan", "1G")],
        *[("--health-port", value, "port") for value in ("-1", "65536", "http")],
    ],
)
def test_limits_of_a_worker_that_none_could_keep_are_refused(option: str, value: str, what: str) -> None:
    parser = load_command_class("django_jobs", "runjobs").create_parser("manage.py", "runjobs")
    with pytest.raises(CommandError, match=f"{option}: '{value}' is no {what}"):
        parser.parse_args([f"{option}={value}"])


def test_a_creator_in_history_is_a_name(admin_user: Any) -> None:
    job = adds.using(created_by=get_user_model().objects.get()).enqueue(1, 1)
    assert job.created_by_name == admin_user.get_username()
