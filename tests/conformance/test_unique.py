"""Unique keys: one job holds a key, whoever enqueues at the same moment."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction

from django_jobs import Retry, clock, job, states
from django_jobs.dashboard.verbs import DEEDS, told
from django_jobs.exceptions import DuplicateJob, InvalidJob
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.server import cleaner
from django_jobs.states import machine
from django_jobs.states.statements import Then
from tests.app.jobs import adds, succeeds
from tests.app.limited import fails_but_is_unique, once_an_hour, once_for_its_arguments, refuses_twins
from tests.conformance.test_limits import later
from tests.conformance.test_machine import ME, ended

pytestmark = pytest.mark.django_db(transaction=True)

ALL = [*registry.names()]


def finish(held: Job, state: str = states.SUCCEEDED, then: Then | None = None) -> None:
    """The job runs, and ends so."""
    (claimed,) = machine.claim([held.pk], ALL, ME)
    run = ended(held, claimed.run, state)._replace(keyed=bool(claimed.keyed), job_type=claimed.job_type, then=then)
    assert machine.acknowledge([run], ME).done


def test_a_second_call_returns_the_first_job() -> None:
    first = adds.using(unique_key="inv-7").enqueue(1, 1)
    second = adds.using(unique_key="inv-7").enqueue(2, 2)
    assert (second.pk, second.args) == (first.pk, [1, 1])
    assert Job.objects.count() == 1


def test_types_do_not_share_keys() -> None:
    assert adds.using(unique_key="k").enqueue(1, 1).pk != succeeds.using(unique_key="k").enqueue().pk


def test_keys_that_differ_by_case_or_spaces_are_different() -> None:
    keys = ["a", "A", "a ", "ä"]
    assert len({adds.using(unique_key=key).enqueue(1, 1).pk for key in keys}) == 4


def test_a_second_call_raises_where_that_is_asked_for() -> None:
    first = refuses_twins.enqueue("x")
    with pytest.raises(DuplicateJob, match=f"'twin-x' is taken: job {first.pk} holds it and is enqueued") as caught:
        refuses_twins.enqueue("x")
    assert (caught.value.key, caught.value.job.pk) == ("twin-x", first.pk)
    assert refuses_twins.using(on_duplicate="return").enqueue("x").pk == first.pk


@pytest.mark.parametrize("end", [states.SUCCEEDED, states.FAILED])
def test_the_end_of_a_run_frees_the_key(end: str) -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    finish(first, end)
    assert adds.using(unique_key="k").enqueue(1, 1).pk != first.pk


def test_deletion_frees_the_key() -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    assert first.cancel()
    assert adds.using(unique_key="k").enqueue(1, 1).pk != first.pk


def test_the_key_is_held_through_a_retry() -> None:
    first = fails_but_is_unique.enqueue()
    finish(first, states.FAILED, Then(states.SCHEDULED, "Retry 1 of 1", clock.now() + timedelta(hours=1), None))
    first.refresh_from_db()
    assert first.state == states.SCHEDULED
    assert fails_but_is_unique.enqueue().pk == first.pk


def test_a_death_and_a_give_back_keep_the_key() -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    (claimed,) = machine.claim([first.pk], ALL, ME)
    machine.give_back([(first.pk, claimed.run)], ME, "test")
    machine.claim([first.pk], ALL, ME)
    machine.bury(first.pk, ME, "it died")
    assert adds.using(unique_key="k").enqueue(1, 1).pk == first.pk


def test_quarantine_frees_the_key() -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    for _ in range(machine.DEATHS):
        machine.claim([first.pk], ALL, ME)
        machine.bury(first.pk, ME, "it died")
    assert adds.using(unique_key="k").enqueue(1, 1).pk != first.pk


def test_unique_by_arguments_however_they_are_written() -> None:
    first = once_for_its_arguments.enqueue(1, 0)
    assert once_for_its_arguments.enqueue(1).pk == first.pk
    assert once_for_its_arguments.enqueue(y=0, x=1).pk == first.pk
    assert once_for_its_arguments.enqueue(1, 2).pk != first.pk


def test_unique_by_a_function_that_may_say_no() -> None:
    declared: Any = job("tests.by_function", unique=lambda x: None if x < 0 else f"n{x}")(takes_one)
    try:
        assert declared.enqueue(1).pk == declared.enqueue(1).pk
        assert declared.enqueue(-1).pk != declared.enqueue(-1).pk
    finally:
        registry.remove("tests.by_function")


def takes_one(x: int) -> None: ...


def test_a_set_keeps_its_first_of_each_key_and_the_order_of_its_calls() -> None:
    before = once_for_its_arguments.enqueue(5)
    found = once_for_its_arguments.enqueue_many([(n % 10,) for n in range(2500)])
    assert Job.objects.count() == 10
    assert [one.args[0] for one in found] == [n % 10 for n in range(2500)]
    assert found[5].pk == found[15].pk == before.pk
    assert len({one.pk for one in found}) == 10


def test_a_set_of_many_keys_is_stored_in_full() -> None:
    found = once_for_its_arguments.enqueue_many([(n,) for n in range(2300)])
    rows = Job.objects.in_bulk([one.pk for one in found])
    assert [rows[one.pk].args[0] for one in found] == list(range(2300))


def test_a_set_with_a_taken_key_raises_and_stores_nothing() -> None:
    refuses_twins.enqueue("b")
    for names in (["a", "b"], ["a", "a"]):
        with pytest.raises(DuplicateJob):
            refuses_twins.enqueue_many([(name,) for name in names])
    assert Job.objects.count() == 1


def test_a_key_for_a_time_is_held_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    first = once_an_hour.enqueue("mon")
    finish(first)
    assert once_an_hour.enqueue("mon").pk == first.pk
    later(monkeypatch, timedelta(minutes=61))
    second = once_an_hour.enqueue("mon")
    assert second.pk != first.pk
    assert once_an_hour.enqueue("mon").pk == second.pk


def test_a_key_for_a_time_outlives_the_retention(monkeypatch: pytest.MonkeyPatch) -> None:
    first = adds.using(unique_key="k", unique_for=timedelta(days=9)).enqueue(1, 1)
    finish(first)
    later(monkeypatch, timedelta(days=8))
    cleaner.clean()
    assert adds.using(unique_key="k").enqueue(1, 1).pk == first.pk


def test_a_requeue_takes_the_key_again() -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    finish(first)
    assert first.requeue()
    assert adds.using(unique_key="k").enqueue(1, 1).pk == first.pk


@pytest.mark.parametrize("verb", ["requeue", "reschedule"])
def test_a_requeue_onto_a_taken_key_is_refused(verb: str) -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    other = adds.using(unique_key="other").enqueue(1, 1)
    first.cancel()
    other.cancel()
    second = adds.using(unique_key="k").enqueue(1, 1)
    more = [timedelta(hours=1)] if verb == "reschedule" else []
    assert getattr(first, verb)(*more) is False
    assert getattr(other, verb)(*more) is True
    first.refresh_from_db()
    assert (first.state, second.state) == (states.DELETED, states.ENQUEUED)


def test_a_rolled_back_job_holds_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        adds.using(unique_key="k").enqueue(1, 1)
        raise ZeroDivisionError
    adds.using(unique_key="k").enqueue(1, 1)
    assert Job.objects.count() == 1


def test_a_duplicate_leaves_the_callers_transaction_usable() -> None:
    refuses_twins.enqueue("x")
    with transaction.atomic():
        with pytest.raises(DuplicateJob):
            refuses_twins.enqueue("x")
        adds.enqueue(1, 1)
    assert Job.objects.count() == 2


def test_a_duplicate_rings_no_bell(redis_client: Any) -> None:
    adds.using(unique_key="k").enqueue(1, 1)
    adds.using(unique_key="k").enqueue(1, 1)
    assert redis_client.llen("rq:queue:default") == 1


@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time")
def test_concurrent_calls_make_one_job() -> None:
    together = threading.Barrier(8)
    found: list[list[int]] = []

    def call(number: int) -> None:
        together.wait()
        keys = range(50) if number % 2 else reversed(range(50))
        found.append(sorted(one.pk for one in once_for_its_arguments.enqueue_many([(n,) for n in keys])))
        connections.close_all()

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(ids == found[0] for ids in found)
    assert Job.objects.count() == 50
    assert connection.vendor


def test_wrong_words_are_refused() -> None:
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("unique_key", {"unique_key": ""}),
        ("unique_key", {"unique_key": "x" * 201}),
        ("unique_key", {"unique_key": 7}),
        ("unique_for", {"unique_for": timedelta(hours=1)}),
        ("unique_for", {"unique_key": "k", "unique_for": 60}),
        ("unique_for", {"unique_key": "k", "unique_for": timedelta(0)}),
        ("on_duplicate", {"unique_key": "k", "on_duplicate": "ignore"}),
    ]
    for name, options in wrong:
        with pytest.raises(InvalidJob) as caught:
            adds.using(**options).enqueue(1, 1)
        assert caught.value.field == name
    assert not Job.objects.exists()


def test_a_template_that_does_not_fit_is_refused() -> None:
    declared: Any = job("tests.bad_template", unique="{nothing}", retry=Retry(attempts=0))(takes_one)
    try:
        with pytest.raises(InvalidJob, match="unique: no key can be made of the arguments: KeyError: 'nothing'"):
            declared.enqueue(1)
    finally:
        registry.remove("tests.bad_template")


def test_surfaces_say_who_has_the_key() -> None:
    first = adds.using(unique_key="k").enqueue(1, 1)
    first.cancel()
    second = adds.using(unique_key="k").enqueue(1, 1)
    with pytest.raises(CommandError, match=f"job {second.pk} has the unique key of job {first.pk}"):
        call_command("jobs", "requeue", str(first.pk))
    _, text = told(DEEDS["requeue"], first, moved=False)
    assert text == f"Nothing was done: job #{second.pk} has the unique key of job #{first.pk}."
