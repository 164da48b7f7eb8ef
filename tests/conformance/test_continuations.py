"""Continuations: what waits for a job starts when that one ends, or follows it into its deletion."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from django_jobs import client, clock, execution, queues, states
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Job, JobDependency
from django_jobs.policies import continuations, edges
from django_jobs.server import cleaner, dispatcher
from django_jobs.states import machine, moves
from tests.app.graphjobs import tells_of_parents
from tests.app.jobs import adds, fails, fails_and_is_deleted, fails_twice, succeeds

pytestmark = pytest.mark.django_db(transaction=True)
ME = "server/1"
TYPES = ["tests.adds", "tests.succeeds", "tests.fails", "tests.fails_twice", "tests.tells_of_parents"]
TYPES += ["tests.fails_and_is_deleted"]


def run(*jobs: Job) -> None:
    """Claim and run them in one set, as a worker would."""
    claimed = machine.claim([job.pk for job in jobs], TYPES, ME)
    assert len(claimed) == len(jobs)
    assert len(machine.acknowledge([execution.run(job, ME) for job in claimed], ME).done) == len(jobs)


def now(job: Job) -> tuple[str, str]:
    job.refresh_from_db()
    return job.state, job.state_reason


def test_a_child_waits_says_so_and_starts_when_its_parent_has_succeeded() -> None:
    a = adds.enqueue(1, 2)
    b = a.then(adds, 3, 4)
    assert now(b) == ("awaiting", f"Waits for job #{a.pk}")
    assert machine.claim([b.pk], TYPES, ME) == []
    queues.connect("default", timeout=5).flushdb()
    run(a)
    assert now(b) == ("enqueued", f"Job #{a.pk} succeeded")
    assert queues.waiting("default") == {b.pk}
    assert [entry.name for entry in b.history()] == ["awaiting", "enqueued"]


def test_a_chain_runs_link_by_link() -> None:
    a = adds.enqueue(1, 2)
    b = a.then(adds, 3, 4)
    c = b.then(succeeds.using(queue="critical"), "end")
    run(a)
    assert (now(b)[0], now(c)[0]) == ("enqueued", "awaiting")
    run(b)
    assert now(c)[0] == "enqueued"
    assert c.queue == "critical"


def test_a_job_of_several_parents_waits_for_the_last() -> None:
    parents = adds.enqueue_many([(1, 1), (2, 2), (3, 3)])
    child = succeeds.using(after=parents).enqueue()
    assert now(child)[1] == f"Waits for job #{parents[0].pk} and 2 others"
    run(parents[0], parents[2])
    assert now(child)[0] == "awaiting"
    run(parents[1])
    assert now(child)[0] == "enqueued"


def test_parents_that_end_in_one_set_release_their_child_once() -> None:
    parents = adds.enqueue_many([(n, n) for n in range(5)])
    child = succeeds.using(after=parents).enqueue()
    run(*parents)
    assert now(child)[0] == "enqueued"
    assert [entry.name for entry in child.history()] == ["awaiting", "enqueued"]


@pytest.mark.parametrize(
    ("on", "after_success", "after_deletion"),
    [
        ("succeeded", "enqueued", "deleted"),
        ("any", "enqueued", "enqueued"),
        ("deleted", "deleted", "enqueued"),
    ],
)
def test_the_condition_decides(on: str, after_success: str, after_deletion: str) -> None:
    good, gone = adds.enqueue(1, 2), adds.enqueue(1, 2)
    first, second = good.then(succeeds, on=on), gone.then(succeeds.using(on=on))
    run(good)
    gone.cancel()
    assert (now(first)[0], now(second)[0]) == (after_success, after_deletion)
    unmet = second if on == "succeeded" else first
    if on != "any":
        assert now(unmet)[1].startswith("Continuation condition was not met: job #")


def test_one_unmet_parent_is_enough() -> None:
    a, b = adds.enqueue(1, 2), adds.enqueue(1, 2)
    child = succeeds.using(after=[a, b]).enqueue()
    b.cancel()
    assert now(child) == ("deleted", f"Continuation condition was not met: job #{b.pk} was deleted")
    run(a)
    assert now(child)[0] == "deleted"


def test_a_failed_parent_keeps_its_children_waiting_and_they_say_so() -> None:
    a, other = fails.enqueue(), adds.enqueue(1, 1)
    child = succeeds.using(after=[a, other]).enqueue()
    run(a)
    assert now(child) == ("awaiting", f"Job #{a.pk} failed; this one waits for it")
    a.requeue()
    assert now(child) == ("awaiting", f"Waits for job #{a.pk} and 1 other")
    Job.objects.filter(pk=a.pk).update(job_type="tests.succeeds", args=[])
    run(a, other)
    assert now(child)[0] == "enqueued"


def test_of_many_children_each_says_that_its_parent_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuations, "AT_ONCE", 3)
    monkeypatch.setattr(moves, "SET_SIZE", 4)
    a = fails.enqueue()
    children = Job.objects.filter(pk__in=[a.then(succeeds).pk for _ in range(10)])
    run(a)
    assert set(children.values_list("state_reason", flat=True)) == {f"Job #{a.pk} failed; this one waits for it"}
    a.requeue()
    assert set(children.values_list("state_reason", flat=True)) == {f"Waits for job #{a.pk}"}


def test_a_child_of_many_that_was_attached_while_its_parent_failed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuations, "AT_ONCE", 3)
    a = fails.enqueue()
    for _ in range(5):
        a.then(succeeds)
    run(a)
    monkeypatch.setattr(edges, "_check_stored", lambda jobs, batches: [])  # it looked just before
    assert now(a.then(succeeds)) == ("awaiting", f"Job #{a.pk} failed; this one waits for it")


def test_a_retry_is_no_end() -> None:
    a = fails_twice.enqueue()
    child = a.then(succeeds, on="any")
    run(a)
    assert now(a)[0] == "scheduled"
    assert now(child) == ("awaiting", f"Waits for job #{a.pk}")


def test_retries_used_up_delete_the_children() -> None:
    a = fails_and_is_deleted.enqueue()
    child, catch = a.then(succeeds), a.then(succeeds, on="deleted")
    run(a)
    assert now(child)[0] == "awaiting"
    run(a)
    assert (now(a)[0], now(child)[0], now(catch)[0]) == ("deleted", "deleted", "enqueued")


def test_a_parent_that_has_ended_lets_its_child_start_at_once() -> None:
    a = adds.enqueue(1, 2)
    run(a)
    assert now(a.then(succeeds))[0] == "enqueued"
    assert now(a.then(succeeds, on="deleted"))[0] == "deleted"
    b = fails.enqueue()
    run(b)
    assert now(b.then(succeeds)) == ("awaiting", f"Job #{b.pk} failed; this one waits for it")


def test_in_a_transaction_a_child_is_only_stored() -> None:
    a = adds.enqueue(1, 2)
    run(a)
    with transaction.atomic():
        child = a.then(succeeds)
        assert now(child)[0] == "awaiting"
    assert now(child)[0] == "enqueued"


def test_a_deletion_runs_through_a_long_chain() -> None:
    jobs = [adds.enqueue(1, 1)]
    for _ in range(3 * continuations.LEVELS):
        jobs.append(jobs[-1].then(succeeds))
    jobs[0].cancel()
    while dispatcher.release() == 0.0:
        pass
    assert set(Job.objects.values_list("state", flat=True)) == {"deleted"}


def test_a_delay_counts_from_the_release() -> None:
    a = adds.enqueue(1, 2)
    child = a.then(succeeds.using(run_after=timedelta(hours=1), expires=timedelta(hours=2)))
    assert (now(child)[0], child.scheduled_at, child.start_before) == ("awaiting", None, None)
    at = clock.now() + timedelta(days=1)
    dated = a.then(succeeds.using(run_after=at))
    before = clock.now()
    run(a)
    assert now(child)[0] == "scheduled"
    assert before + timedelta(hours=1) <= child.scheduled_at <= clock.now() + timedelta(hours=1)
    assert child.start_before - child.scheduled_at == timedelta(hours=2)
    assert now(dated)[0] == "scheduled"
    assert dated.scheduled_at == at


def test_a_child_that_expires_is_not_late_before_its_release() -> None:
    a = adds.enqueue(1, 2)
    child = a.then(succeeds.using(expires=timedelta(minutes=1)))
    assert child.start_before is None
    run(a)
    now(child)
    assert child.start_before is not None


def test_a_job_reads_the_results_of_its_parents() -> None:
    a, b = adds.enqueue(1, 2), adds.enqueue(3, 4)
    child = tells_of_parents.using(after=[b, a]).enqueue()
    run(a, b)
    run(child)
    child.refresh_from_db()
    assert child.result == [7, 3]


def test_a_parent_stays_stored_while_somebody_waits_for_it() -> None:
    a = adds.enqueue(1, 2)
    child = tells_of_parents.using(after=[a], run_after=timedelta(hours=1)).enqueue()
    run(a)
    Job.objects.filter(pk=a.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    cleaner.clean()
    assert Job.objects.filter(pk=a.pk).exists()
    child.cancel()
    cleaner.clean()
    assert not Job.objects.filter(pk=a.pk).exists()
    assert not JobDependency.objects.exists()


def test_what_is_asked_for_wrongly_is_refused_by_name_and_nothing_is_stored() -> None:
    a = adds.enqueue(1, 2)
    gone = Job(pk=10**9)
    refused: list[tuple[str, Callable[[], Any]]] = [
        ("on", lambda: a.then(succeeds, on="failed")),
        ("after", lambda: gone.then(succeeds)),
        ("after", succeeds.using(after=[a, 7]).enqueue),
        ("after", succeeds.using(after="abc").enqueue),
        ("after", lambda: a.then(succeeds.using(after=[a]))),
        ("task", lambda: a.then(a)),
        ("task", lambda: a.then(succeeds.bind(1), 2)),
        ("args", lambda: a.then(adds, 1)),
    ]
    for field, call in refused:
        with pytest.raises(InvalidJob) as error:
            call()
        assert error.value.field == field
    assert Job.objects.count() == 1
    assert not JobDependency.objects.exists()


def test_an_empty_list_of_parents_is_nothing_to_wait_for() -> None:
    assert succeeds.using(after=[]).enqueue().state == "enqueued"
    assert succeeds.using(after=Job.objects.none()).enqueue().state == "enqueued"


def test_a_bound_call_is_stored_with_what_follows_it() -> None:
    call = adds.using(priority=3).bind(1, 2).then(adds, 3, 4).then(succeeds.bind("end"), on="any")
    assert not Job.objects.exists()
    last = call.enqueue()
    first, second, third = Job.objects.order_by("pk")
    assert (first.state, first.priority, second.state, third.pk) == ("enqueued", 3, "awaiting", last.pk)
    run(first)
    run(second)
    assert now(last)[0] == "enqueued"


def test_the_async_twins_do_the_same() -> None:
    async def chain() -> tuple[Job, Job]:
        a = await adds.aenqueue(1, 2)
        made = await a.athen(succeeds), await succeeds.bind(1).then(succeeds, 2).aenqueue()
        await sync_to_async(connections.close_all)()
        return made

    child, last = asyncio.run(chain())
    assert now(child)[0] == now(last)[0] == "awaiting"


def test_a_person_may_start_a_child_early() -> None:
    a = adds.enqueue(1, 2)
    child = a.then(succeeds)
    assert child.requeue()
    run(child)
    run(a)
    assert now(child)[0] == "succeeded"


def test_a_requeued_parent_does_not_start_its_children_twice() -> None:
    a = adds.enqueue(1, 2)
    child = a.then(succeeds)
    run(a)
    run(child)
    a.requeue()
    run(a)
    assert [entry.name for entry in child.history()] == ["awaiting", "enqueued", "processing", "succeeded"]


def test_many_children_are_left_to_the_leader_and_released_in_sets() -> None:
    a = adds.enqueue(1, 2)
    children = succeeds.using(after=[a]).enqueue_many([(n,) for n in range(3 * continuations.AT_ONCE)])
    run(a)
    started = Job.objects.filter(pk__in=[child.pk for child in children], state="enqueued")
    assert started.count() == continuations.AT_ONCE
    assert dispatcher.release() is None
    assert started.count() == len(children)
    assert JobDependency.objects.filter(met=None).count() == 0


def test_what_a_crash_left_open_is_caught_up_with() -> None:
    a, b = adds.enqueue(1, 2), adds.enqueue(1, 2)
    met, unmet = a.then(succeeds), b.then(succeeds)
    gone = adds.enqueue(1, 1)
    orphan = gone.then(succeeds, on="any")
    Job.objects.filter(pk=a.pk).update(state=states.SUCCEEDED)
    Job.objects.filter(pk=b.pk).update(state=states.DELETED)
    gone.delete()
    assert dispatcher.release() is None
    assert now(met)[0] == "enqueued"
    assert now(unmet)[0] == "deleted"
    assert now(orphan) == ("enqueued", f"Job #{orphan.pk - 1} was deleted")


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    def whole() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=whole)
    thread.start()
    return thread


needs_rows_locked = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer at a time, so no two transactions meet"
)


@needs_rows_locked
def test_two_parents_that_end_at_once_release_their_child() -> None:
    a, b = adds.enqueue(1, 2), adds.enqueue(3, 4)
    child = succeeds.using(after=[a, b]).enqueue()
    claimed = machine.claim([a.pk, b.pk], TYPES, ME)
    first, second = [execution.run(job, ME) for job in claimed]
    with transaction.atomic():
        machine.acknowledge([first], ME)
        other = in_a_thread(lambda: machine.acknowledge([second], ME))
        other.join(0.5)
        assert other.is_alive(), "it waits for the child's row"
    other.join(10)
    assert now(child)[0] == "enqueued"


@needs_rows_locked
def test_a_child_attached_while_its_parent_ends_is_released() -> None:
    a = adds.enqueue(1, 2)
    (claimed,) = machine.claim([a.pk], TYPES, ME)
    with transaction.atomic():
        machine.acknowledge([execution.run(claimed, ME)], ME)  # sees no child
        other = in_a_thread(lambda: a.then(succeeds) and None)
        other.join(0.5)
        assert other.is_alive(), "after its commit it waits for the end that is not committed"
    other.join(10)
    child = Job.objects.get(job_type="tests.succeeds")
    assert now(child)[0] == "enqueued"


@needs_rows_locked
def test_an_attachment_that_is_not_committed_holds_up_nobody() -> None:
    a = adds.enqueue(1, 2)
    with transaction.atomic():
        child = a.then(succeeds)
        other = in_a_thread(lambda: run(a))
        other.join(10)
        assert not other.is_alive()
        assert Job.objects.get(pk=a.pk).state == "succeeded"
    assert now(child)[0] == "enqueued"


def test_cancel_and_release_of_a_set_are_told_apart() -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(4)])
    children = [job.then(succeeds) for job in jobs]
    assert client.cancel([job.pk for job in jobs[:2]]) == [job.pk for job in jobs[:2]]
    run(*jobs[2:])
    assert [now(child)[0] for child in children] == ["deleted", "deleted", "enqueued", "enqueued"]


def test_a_database_that_refuses_what_follows_is_no_fault_of_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    a = adds.enqueue(1, 2)
    child = a.then(succeeds)
    (claimed,) = machine.claim([a.pk], TYPES, ME)
    ended = execution.run(claimed, ME)
    with monkeypatch.context() as patch:
        patch.setattr(continuations, "settle", Mock(side_effect=OperationalError("deadlock detected")))
        with pytest.raises(OperationalError):
            machine.acknowledge([ended], ME)
    assert now(a)[0] == "processing"
    assert machine.acknowledge([ended], ME).done
    assert (now(a)[0], now(child)[0]) == ("succeeded", "enqueued")


@needs_rows_locked
def test_a_child_attached_while_its_parent_fails_says_so() -> None:
    a = fails.enqueue()
    (claimed,) = machine.claim([a.pk], TYPES, ME)
    with transaction.atomic():
        machine.acknowledge([execution.run(claimed, ME)], ME)
        other = in_a_thread(lambda: a.then(succeeds) and None)
        other.join(0.5)
    other.join(10)
    child = Job.objects.get(job_type="tests.succeeds")
    assert now(child) == ("awaiting", f"Job #{a.pk} failed; this one waits for it")


def test_delayed_children_of_one_parent_are_released_as_a_set() -> None:
    a = adds.enqueue(1, 2)
    succeeds.using(after=[a], run_after=timedelta(hours=1), expires=timedelta(hours=1)).enqueue_many([()] * 100)
    (claimed,) = machine.claim([a.pk], TYPES, ME)
    with CaptureQueriesContext(connection) as queries:
        machine.acknowledge([execution.run(claimed, ME)], ME)
    assert len(queries) < 30
    assert Job.objects.filter(state="scheduled").count() == 100
