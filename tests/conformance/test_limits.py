"""Limits: what is over one waits as Awaiting, and follows when a slot becomes free."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from django_jobs import clock, job, states, steering
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Job, Limit, Slot, Waiter
from django_jobs.policies import limits
from django_jobs.rates import rate_from
from django_jobs.registry import registry
from django_jobs.states import machine
from django_jobs.states.statements import Claimed, Then
from tests.app.jobs import adds, succeeds
from tests.app.limited import one_per_customer, three_in_two_seconds, two_at_once, two_per_window
from tests.conformance.test_machine import ME, ended

pytestmark = pytest.mark.django_db(transaction=True)

ALL = [*registry.names()]


def later(monkeypatch: pytest.MonkeyPatch, span: timedelta) -> None:
    moment = clock.now() + span
    monkeypatch.setattr(clock, "now", lambda: moment)


def claim(*jobs: Job, worker: str = ME) -> list[Claimed]:
    return sorted(machine.claim([one.pk for one in jobs], ALL, worker))


def end(claimed: Claimed, state: str = states.SUCCEEDED, then: Then | None = None, worker: str = ME) -> None:
    run = ended(Job(pk=claimed.id), claimed.run, state)
    run = run._replace(limited=bool(claimed.limited), keyed=bool(claimed.keyed), job_type=claimed.job_type, then=then)
    assert machine.acknowledge([run], worker).done


def states_of(jobs: list[Job]) -> list[str]:
    found = dict(Job.objects.values_list("pk", "state"))
    return [found[one.pk] for one in jobs]


def test_jobs_over_the_limit_wait_and_say_why() -> None:
    jobs = two_at_once.enqueue_many([()] * 4)
    assert [one.id for one in claim(*jobs)] == [jobs[0].pk, jobs[1].pk]
    assert states_of(jobs) == ["processing"] * 2 + ["awaiting"] * 2
    jobs[3].refresh_from_db()
    assert jobs[3].wait_reason == "Waits for a slot: at most 2 of type tests.two_at_once at once"
    assert [entry.name for entry in jobs[3].history()] == ["enqueued", "awaiting"]


def test_each_freed_slot_wakes_the_next() -> None:
    jobs = two_at_once.enqueue_many([()] * 4)
    first, second = claim(*jobs)
    end(first)
    assert states_of(jobs) == ["succeeded", "processing", "enqueued", "awaiting"]
    (third,) = claim(jobs[2])
    assert third.id == jobs[2].pk
    end(second)
    end(third)
    assert states_of(jobs)[3] == "enqueued"
    end(*claim(jobs[3]))
    assert not Slot.objects.exists()
    assert not Waiter.objects.exists()


def test_who_is_next_goes_by_priority_then_age() -> None:
    running = one_per_customer.enqueue("c")
    (held,) = claim(running)
    low, normal, second, high = (one_per_customer.using(priority=priority).enqueue("c") for priority in (-5, 0, 0, 5))
    assert claim(low, normal, second, high) == []
    order = []
    for _ in range(4):
        end(held)
        (held,) = claim(low, normal, second, high)
        order.append(held.id)
    assert order == [high.pk, normal.pk, second.pk, low.pk]


def test_a_newcomer_does_not_overtake_who_was_woken() -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held, *_) = claim(running, waiting)
    end(held)
    newcomer = one_per_customer.using(priority=100).enqueue("c")
    assert claim(newcomer) == []
    assert [one.id for one in claim(waiting)] == [waiting.pk]


def test_a_slot_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    running, woken, behind = one_per_customer.enqueue_many([("c",)] * 3)
    (held,) = claim(running, woken, behind)
    end(held)
    assert states_of([woken, behind]) == ["enqueued", "awaiting"]
    later(monkeypatch, limits.KEPT * 1.1)
    limits.look_due()
    assert states_of([woken, behind]) == ["enqueued", "enqueued"]
    assert [one.id for one in claim(behind)] == [behind.pk]
    assert claim(woken) == []
    assert states_of([woken]) == ["awaiting"]


def test_keys_are_limited_apart_and_shared_by_types() -> None:
    jobs = one_per_customer.enqueue_many([("a",), ("b",), ("A",), ("a",)])
    assert len(claim(*jobs)) == 3
    other = adds.using(concurrency_key="customer-a").enqueue(1, 1)
    free = adds.using(concurrency_key="customer-x").enqueue(1, 1)
    assert [one.id for one in claim(other, free)] == [free.pk]


LEAVINGS: dict[str, Any] = {
    "success": lambda held: end(held),
    "failure": lambda held: end(held, states.FAILED),
    "retry": lambda held: end(held, states.FAILED, Then(states.SCHEDULED, "Retry", clock.now() + timedelta(1), None)),
    "give_back": lambda held: machine.give_back([(held.id, held.run)], ME, "test"),
    "release": lambda held: machine.release(ME, "gone"),
    "bury": lambda held: machine.bury(held.id, ME, "died"),
    "cancel": lambda held: Job.objects.get(pk=held.id).cancel(),
    "delete": lambda held: Job.objects.get(pk=held.id).cancel(),
}


@pytest.mark.parametrize("way", LEAVINGS)
def test_every_way_out_of_processing_frees_the_slot(way: str) -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(running, waiting)
    LEAVINGS[way](held)
    assert not Slot.objects.exists()
    assert states_of([waiting]) == ["enqueued"]


def test_a_snooze_frees_the_slot() -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(running, waiting)
    end(held, states.SCHEDULED, Then(states.SCHEDULED, "", clock.now() + timedelta(hours=1), None))
    assert states_of([running, waiting]) == ["scheduled", "enqueued"]


def test_a_stale_worker_frees_nothing() -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(running, waiting)
    machine.give_back([(held.id, held.run)], ME, "stalled")
    (again,) = claim(waiting, running)
    run = ended(running, held.run)._replace(limited=True)
    assert machine.acknowledge([run], ME).stale
    assert Slot.objects.get().job == again.id


@pytest.mark.parametrize("verb", ["cancel", "pause", "reschedule"])
def test_who_leaves_the_line_is_not_called(verb: str) -> None:
    running, gone, behind = one_per_customer.enqueue_many([("c",)] * 3)
    (held,) = claim(running, gone, behind)
    more = [timedelta(hours=1)] if verb == "reschedule" else []
    assert getattr(gone, verb)(*more)
    end(held)
    assert states_of([behind]) == ["enqueued"]


def test_a_woken_job_that_is_cancelled_passes_its_slot_on() -> None:
    running, woken, behind = one_per_customer.enqueue_many([("c",)] * 3)
    (held,) = claim(running, woken, behind)
    end(held)
    assert woken.cancel()
    assert states_of([behind]) == ["enqueued"]


def test_a_paused_waiter_that_is_resumed_gets_the_free_slot() -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(running, waiting)
    waiting.pause()
    end(held)
    assert states_of([waiting]) == ["paused"]
    assert waiting.resume()
    assert states_of([waiting]) == ["enqueued"]
    assert len(claim(waiting)) == 1


@pytest.fixture
def _dying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes dies right after his commit, before he looks who is next."""
    monkeypatch.setattr(limits, "_look_later", lambda keys: None)


@pytest.mark.usefixtures("_dying")
def test_a_crash_right_after_a_job_was_made_to_wait_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = three_in_two_seconds.enqueue_many([()] * 4)
    assert len(claim(*jobs)) == 3
    assert states_of([jobs[3]]) == ["awaiting"]
    assert limits.look_due() is not None
    later(monkeypatch, timedelta(seconds=2.5))
    limits.look_due()
    assert states_of([jobs[3]]) == ["enqueued"]


def test_a_crash_right_after_a_waiter_was_resumed_does_not_lose_it(monkeypatch: pytest.MonkeyPatch) -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(running, waiting)
    waiting.pause()
    end(held)
    limits._look(list(Limit.objects.values_list("key", flat=True)))
    monkeypatch.setattr(limits, "_look_later", lambda keys: None)
    assert waiting.resume()
    later(monkeypatch, limits.KEPT * 1.1)
    limits.look_due()
    assert states_of([waiting]) == ["enqueued"]


def test_requeue_of_a_waiter_does_not_break_the_limit() -> None:
    running, waiting = one_per_customer.enqueue_many([("c",), ("c",)])
    claim(running, waiting)
    assert waiting.requeue()
    assert claim(waiting) == []
    assert states_of([waiting]) == ["awaiting"]


def test_an_exchange_passes_the_slot_on_within_its_transaction() -> None:
    first, second = one_per_customer.enqueue_many([("c",), ("c",)])
    (held,) = claim(first)
    run = ended(first, held.run)._replace(limited=True, job_type=held.job_type)
    answer, claimed = machine.exchange([run], [second.pk], ALL, ME)
    assert [one.id for one in claimed] == [second.pk]
    assert answer.done


def test_plain_jobs_take_no_notice() -> None:
    plain, limited = adds.enqueue(1, 1), one_per_customer.enqueue("c")
    claimed = claim(plain, limited)
    assert [bool(one.limited) for one in claimed] == [False, True]
    assert Slot.objects.count() == 1


def test_a_limit_on_a_queue_by_setting(settings: LazySettings) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "QUEUE_LIMITS": {"critical": {"max_concurrency": 1}}}
    first, second = (adds.using(queue="critical").enqueue(1, 1) for _ in range(2))
    other = succeeds.enqueue()
    assert [one.id for one in claim(first, second, other)] == [first.pk, other.pk]
    second.refresh_from_db()
    assert second.wait_reason == "Waits for a slot: at most 1 of queue critical at once"


def test_a_limit_on_a_queue_is_changed_live() -> None:
    steering.limit_queue("critical", max_concurrency=1, rate_limit=None)
    jobs = [adds.using(queue="critical").enqueue(n, 1) for n in range(4)]
    assert len(claim(*jobs)) == 1
    steering.limit_queue("critical", max_concurrency=3, rate_limit=None)
    assert states_of(jobs) == ["processing", "enqueued", "enqueued", "awaiting"]
    assert len(claim(*jobs[1:])) == 2
    steering.limit_queue("critical", max_concurrency=None, rate_limit=None)
    assert states_of(jobs)[3] == "enqueued"
    assert len(claim(jobs[3])) == 1


def test_a_limit_that_left_the_code_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = two_at_once.enqueue_many([()] * 6)
    held = claim(*jobs)
    known = registry.get("tests.two_at_once")
    monkeypatch.setattr(registry, "limited", registry.limited - {known.name})
    object.__setattr__(known, "max_concurrency", None)
    try:
        for run in held:
            end(run)
        for _ in range(4):
            for run in claim(*jobs):
                end(run)
    finally:
        object.__setattr__(known, "max_concurrency", 2)
    assert set(states_of(jobs)) == {"succeeded"}


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_a_sliding_window_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    start = clock.now()
    jobs = three_in_two_seconds.enqueue_many([()] * 8)
    starts: list[float] = []
    for step in range(100):
        at(monkeypatch, start + timedelta(seconds=step / 10))
        limits.look_due()
        for run in claim(*[one for one in jobs if states_of([one]) == ["enqueued"]]):
            starts.append(step / 10)
            end(run)
        if len(starts) == 8:
            break
    assert len(starts) == 8
    assert all(later - earlier > 2 for earlier, later in zip(starts, starts[3:], strict=False))
    assert starts[-1] < 4.5


def test_a_fixed_window_belongs_to_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime.fromisoformat("2030-01-01T00:00:00.900000+00:00")
    at(monkeypatch, start)
    jobs = two_per_window.enqueue_many([("a",)] * 3 + [("b",)])
    assert [one.id for one in claim(*jobs)] == [jobs[0].pk, jobs[1].pk, jobs[3].pk]
    jobs[2].refresh_from_db()
    assert jobs[2].wait_reason.startswith("Waits for its time: at most 2/s of type tests.two_per_window with the key a")
    assert limits.look_due() == pytest.approx(0.1, abs=0.02)
    at(monkeypatch, start + timedelta(seconds=0.1))
    limits.look_due()
    assert [one.id for one in claim(jobs[2])] == [jobs[2].pk]


def test_a_job_that_did_not_begin_counts_in_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, datetime.fromisoformat("2030-01-01T00:00:00.100000+00:00"))
    first, second, third = two_per_window.enqueue_many([("a",)] * 3)
    held = claim(first, second, third)
    machine.give_back([(held[0].id, held[0].run)], ME, "behind a long one")
    assert states_of([third]) == ["enqueued"]


def test_a_run_that_did_not_begin_frees_no_slot_of_an_earlier_one() -> None:
    job = three_in_two_seconds.enqueue()
    (first,) = claim(job)
    end(first, states.FAILED, Then(states.ENQUEUED, "Retry", None, None))
    (second,) = claim(job)
    machine.give_back([(second.id, second.run)], ME, "behind a long one")
    assert list(Slot.objects.values_list("run", flat=True)) == [first.run]


def test_ten_thousand_waiters_are_no_burden_for_others(django_assert_max_num_queries: Any) -> None:
    holder = one_per_customer.enqueue("busy")
    claim(holder)
    crowd = one_per_customer.enqueue_many([("busy",)] * 3000)
    for start in range(0, 3000, 1000):
        assert claim(*crowd[start : start + 1000]) == []
    other = one_per_customer.enqueue("calm")
    with django_assert_max_num_queries(30):
        assert len(claim(other)) == 1


def test_idle_limits_are_forgotten_and_busy_ones_are_not() -> None:
    idle, busy = one_per_customer.enqueue_many([("idle",), ("busy",)])
    for run in claim(idle, busy):
        if run.id == idle.pk:
            end(run)
    limits.forget_idle()
    assert [limit.name for limit in Limit.objects.all()] == ["key:customer-busy"]
    assert claim(one_per_customer.enqueue("busy")) == []


def test_wrong_words_are_refused() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("max_concurrency", {"max_concurrency": 0}),
        ("max_concurrency", {"max_concurrency": True}),
        ("max_per_key", {"max_per_key": 2}),
        ("concurrency_key", {"concurrency_key": 7}),
        ("rate_limit", {"rate_limit": "ten a minute"}),
        ("rate_limit", {"rate_limit": 10}),
        ("unique", {"unique": 7}),
        ("unique_for", {"unique_for": timedelta(hours=1)}),
        ("on_duplicate", {"unique": True, "on_duplicate": "ignore"}),
    ]
    for name, options in wrong:
        with pytest.raises(InvalidJob) as caught:
            job("tests.wrong", **options)(adds)  # type: ignore[call-overload]
        assert caught.value.field == name, options
    with pytest.raises(InvalidJob, match="concurrency_key: is ''"):
        adds.using(concurrency_key="").enqueue(1, 1)
    for words in ({"max_concurrency": 0, "rate_limit": None}, {"max_concurrency": None, "rate_limit": "x"}):
        with pytest.raises(InvalidJob):
            steering.limit_queue("critical", **words)


@pytest.mark.parametrize("text", ["10/m", "100/5m", "3/s sliding", "1/h", "2/d"])
def test_a_rate_is_written_as_it_is_read(text: str) -> None:
    assert str(rate_from(text)) == text
