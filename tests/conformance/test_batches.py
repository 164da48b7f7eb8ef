"""Batches: stored at once, counted by deltas, ended when no member is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test.utils import CaptureQueriesContext

from django_jobs import Batch, client, clock, execution, queues
from django_jobs.exceptions import InvalidJob, StillStarted
from django_jobs.models import BatchCount, Job, JobDependency
from django_jobs.policies import batches
from django_jobs.server import cleaner, dispatcher, routing
from django_jobs.states import machine
from tests.app.graphjobs import grows_its_batch
from tests.app.jobs import adds, fails, fails_and_is_deleted, fails_twice, succeeds
from tests.conformance.test_continuations import ME, in_a_thread, needs_rows_locked, now

pytestmark = pytest.mark.django_db(transaction=True)
TYPES = ["tests.adds", "tests.succeeds", "tests.fails", "tests.fails_twice", "tests.grows_its_batch"]
TYPES += ["tests.fails_and_is_deleted", "tests.is_a_part"]


def members(batch: Batch) -> list[Job]:
    return list(Job.objects.filter(batch=batch).order_by("pk"))


def run(*jobs: Job) -> None:
    claimed = machine.claim([job.pk for job in jobs], TYPES, ME)
    assert len(claimed) == len(jobs)
    assert len(machine.acknowledge([execution.run(job, ME) for job in claimed], ME).done) == len(jobs)


def state(batch: Batch) -> str:
    batch.refresh_from_db()
    return batch.state


def test_a_batch_is_stored_with_its_members_and_ends_with_the_last_of_them() -> None:
    user = User.objects.create(username="ada")
    batch = Batch.start("bulk", [adds.bind(n, n) for n in range(3)], created_by=user)
    assert (batch.description, batch.created_by_name, state(batch)) == ("bulk", "ada", "started")
    jobs = members(batch)
    assert [job.args for job in jobs] == [[0, 0], [1, 1], [2, 2]]
    assert {job.created_by_name for job in jobs} == {"ada"}
    assert batch.progress == (3, 0, 0, 0)
    run(*jobs[:2])
    assert (batch.progress, batch.progress.percent, state(batch)) == ((3, 2, 0, 0), 66, "started")
    run(jobs[2])
    assert (batch.progress, batch.progress.percent, state(batch)) == ((3, 3, 0, 0), 100, "succeeded")
    assert batch.finished_at is not None
    assert batch.expires_at - batch.finished_at == timedelta(days=7)


def test_all_or_none_is_stored() -> None:
    with pytest.raises(InvalidJob):
        Batch.start("bulk", [adds.bind(1, 1), adds.bind(1)])
    assert not Batch.objects.exists()
    assert not Job.objects.exists()
    with transaction.atomic():
        Batch.start("bulk", [adds.bind(1, 1)])
        transaction.set_rollback(True)
    assert not Batch.objects.exists()
    assert not Job.objects.exists()
    assert queues.waiting("default") == set()


def test_members_keep_their_options_and_what_follows_them() -> None:
    batch = Batch.start(
        "mixed",
        [
            adds.using(queue="critical", priority=7).bind(1, 1),
            succeeds.using(run_after=timedelta(hours=1)).bind(),
            adds.bind(2, 2).then(succeeds, "second").then(succeeds.using(priority=3), "third"),
        ],
    )
    jobs = members(batch)
    assert [(job.state, job.queue, job.priority) for job in jobs] == [
        ("enqueued", "critical", 7),
        ("scheduled", "default", 0),
        ("enqueued", "default", 0),
        ("awaiting", "default", 0),
        ("awaiting", "default", 3),
    ]
    assert jobs[3].state_reason == f"Waits for job #{jobs[2].pk}"
    run(jobs[0], jobs[2])
    run(jobs[3])
    run(jobs[4])
    assert (batch.progress, state(batch)) == ((5, 4, 0, 0), "started")
    jobs[1].requeue()
    run(jobs[1])
    assert state(batch) == "succeeded"


def test_an_empty_batch_is_complete_at_once() -> None:
    batch = Batch.start("nothing", [])
    assert (state(batch), batch.progress.percent) == ("succeeded", 100)
    assert now(batch.then(succeeds))[0] == "enqueued"


def test_a_failed_member_keeps_its_batch_open_until_somebody_decides() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1), fails.bind(), fails.bind()])
    good, failed, other = members(batch)
    done, whatever, caught = batch.then(succeeds), batch.then(succeeds, on="any"), batch.then(succeeds, on="deleted")
    assert now(done) == ("awaiting", f"Waits for batch #{batch.pk}")
    run(good, failed, other)
    assert (batch.progress, state(batch)) == ((3, 1, 2, 0), "started")
    client.delete([failed.pk])
    Job.objects.filter(pk=other.pk).update(job_type="tests.succeeds")
    other.requeue()
    assert batch.progress == (3, 1, 0, 1)
    run(other)
    assert (batch.progress, state(batch)) == ((3, 2, 0, 1), "finished")
    assert now(done) == (
        "deleted",
        f"Continuation condition was not met: batch #{batch.pk} finished",
    )
    assert (now(whatever)[0], now(caught)[0]) == ("enqueued", "enqueued")


def test_when_all_have_succeeded_what_follows_starts() -> None:
    batch = Batch.start("bulk", [adds.bind(n, n) for n in range(2)])
    done, caught = batch.then(succeeds), batch.then(succeeds, on="deleted")
    run(*members(batch))
    assert now(done) == ("enqueued", f"Batch #{batch.pk} succeeded")
    assert now(caught)[0] == "deleted"


def test_a_retry_of_a_member_is_no_end() -> None:
    batch = Batch.start("bulk", [fails_twice.bind(), fails_and_is_deleted.bind()])
    run(*members(batch))
    assert (batch.progress, state(batch)) == ((2, 0, 0, 0), "started")
    again = members(batch)[1]
    run(again)
    assert batch.progress == (2, 0, 0, 1)


def test_a_requeued_member_opens_its_batch_again() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    (job,) = members(batch)
    run(job)
    assert state(batch) == "succeeded"
    job.requeue()
    assert (state(batch), batch.expires_at, batch.progress) == ("started", None, (1, 0, 0, 0))
    run(job)
    assert state(batch) == "succeeded"


def test_an_ended_batch_that_gets_members_is_open_again() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    run(*members(batch))
    added = batch.add([adds.bind(2, 2), adds.bind(3, 3)])
    assert (state(batch), batch.progress.total, len(added)) == ("started", 3, 2)
    run(*added)
    assert state(batch) == "succeeded"


def test_a_member_adds_to_its_own_batch() -> None:
    batch = Batch.start("bulk", [grows_its_batch.bind(2)])
    follower = batch.then(succeeds)
    run(*members(batch))
    assert (batch.progress, state(batch)) == ((3, 1, 0, 0), "started")
    run(*members(batch)[1:])
    assert (state(batch), now(follower)[0]) == ("succeeded", "enqueued")
    assert Batch.current() is None


def test_a_batch_within_a_batch_counts_for_both() -> None:
    inner = Batch.bind("inner", [adds.bind(1, 1), Batch.bind("innermost", [adds.bind(2, 2)])])
    outer = Batch.start("outer", [adds.bind(3, 3), inner])
    second, third = Batch.objects.exclude(pk=outer.pk).order_by("pk")
    assert (second.parent_id, third.parent_id) == (outer.pk, second.pk)
    assert [batch.progress.total for batch in (outer, second, third)] == [3, 2, 1]
    run(*members(third))
    assert [state(batch) for batch in (outer, second, third)] == ["started", "started", "succeeded"]
    run(*members(second), *members(outer))
    assert [state(batch) for batch in (outer, second, third)] == ["succeeded"] * 3
    third.add([adds.bind(4, 4)])
    assert [state(batch) for batch in (outer, second, third)] == ["started"] * 3


def test_a_batch_after_a_batch() -> None:
    first = Batch.start("first", [adds.bind(1, 1)])
    second = Batch.start("second", [adds.bind(2, 2).then(succeeds), adds.bind(3, 3)], after=[first])
    assert [job.state for job in members(second)] == ["awaiting"] * 3
    run(*members(first))
    assert [job.state for job in members(second)] == ["enqueued", "enqueued", "awaiting"]


def test_a_job_waits_for_jobs_and_batches() -> None:
    batch, job = Batch.start("bulk", [adds.bind(1, 1)]), adds.enqueue(2, 2)
    child = succeeds.using(after=[batch, job]).enqueue()
    assert child.state_reason == f"Waits for job #{job.pk} and 1 other"
    run(*members(batch))
    assert now(child)[0] == "awaiting"
    run(job)
    assert now(child)[0] == "enqueued"


def test_a_cancelled_batch_starts_nothing_and_is_emptied_in_sets() -> None:
    user = User.objects.create(username="ada")
    batch = Batch.start(
        "bulk", [adds.bind(1, 1), adds.bind(2, 2), succeeds.using(run_after=timedelta(hours=1)).bind(), fails.bind()]
    )
    first, second, later, failed = members(batch)
    child = batch.then(succeeds, on="any")
    (running,) = machine.claim([first.pk], TYPES, ME)
    run(failed)
    with CaptureQueriesContext(connections["default"]) as queries:
        assert batch.cancel(by=user)
    assert len(queries) < 10
    assert not any("UPDATE" in q["sql"] and "django_jobs_job" in q["sql"] for q in queries)
    assert not batch.cancel()
    assert machine.claim([second.pk], TYPES, ME) == []
    assert routing.forward([second.pk], TYPES) == []
    assert now(second) == ("deleted", f"Batch #{batch.pk} was cancelled by ada")
    assert dispatcher.release() is None
    assert now(later)[0] == now(first)[0] == "deleted"
    assert now(failed)[0] == "failed"
    assert machine.acknowledge([execution.run(running, ME)], ME).stale
    assert (state(batch), batch.progress) == ("finished", (4, 0, 1, 3))
    assert now(child)[0] == "enqueued"
    with pytest.raises(InvalidJob):
        batch.add([adds.bind(1, 1)])


def test_a_part_is_cancelled_with_the_whole() -> None:
    outer = Batch.start("outer", [Batch.bind("inner", [adds.bind(1, 1)])])
    inner = Batch.objects.get(description="inner")
    assert outer.cancel()
    assert machine.claim([members(inner)[0].pk], TYPES, ME) == []
    assert dispatcher.release() is None
    assert (state(outer), state(inner)) == ("finished", "finished")


def test_an_ended_part_of_a_cancelled_batch_gets_no_members() -> None:
    outer = Batch.start("outer", [Batch.bind("inner", [adds.bind(1, 1)]), adds.bind(2, 2)])
    inner = Batch.objects.get(description="inner")
    run(*members(inner))
    assert outer.cancel()
    with pytest.raises(InvalidJob, match=f"#{outer.pk} was cancelled"):
        inner.add([adds.bind(3, 3)])


def test_a_batch_that_has_ended_is_not_cancelled() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    run(*members(batch))
    assert not batch.cancel()


def test_what_would_wait_for_itself_is_refused() -> None:
    outer = Batch.start("outer", [Batch.bind("inner", [adds.bind(1, 1)])])
    inner = Batch.objects.get(description="inner")
    after_outer = outer.then(succeeds)
    after_that = after_outer.then(succeeds)
    other = Batch.start("other", [adds.using(after=[after_that]).bind(1, 1)])
    for parent in (outer, inner, after_outer, after_that, other):
        with pytest.raises(InvalidJob, match="its own member"):
            inner.add([adds.using(after=[parent]).bind(1, 1)])
    assert inner.add([adds.using(after=members(inner)).bind(1, 1)])
    assert other.add([adds.using(after=[inner]).bind(1, 1)])


def test_wrong_members_are_refused_by_name() -> None:
    refused: list[tuple[str, Callable[[], Any]]] = [
        ("members", lambda: Batch.start("x", [adds])),
        ("members", lambda: Batch.start("x", [adds.enqueue(1, 1)])),
        ("description", lambda: Batch.start("x" * 201, [])),
        ("created_by", lambda: Batch.start("x", [], created_by=7)),
        ("on", lambda: Batch.start("x", [], after=[adds.enqueue(1, 1)], on="never")),
        ("batch", lambda: Batch(pk=10**9).add([adds.bind(1, 1)])),
    ]
    for name, call in refused:
        with pytest.raises(InvalidJob) as error:
            call()
        assert error.value.field == name
    assert not Batch.objects.exists()


def test_deltas_are_folded_without_a_change_of_the_sums() -> None:
    batch = Batch.start("bulk", [adds.bind(n, n) for n in range(5)])
    for job in members(batch):
        run(job)
    before = batch.progress
    assert BatchCount.objects.filter(batch=batch).count() == 6
    batches.fold()
    assert BatchCount.objects.filter(batch=batch).count() == 1
    assert batch.progress == before


def test_what_a_crash_left_undone_is_caught_up_with(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    child = batch.then(succeeds)
    with monkeypatch.context() as patch:
        patch.setattr(batches, "look", lambda ids: None)
        run(*members(batch))
    assert (state(batch), now(child)[0]) == ("started", "awaiting")
    assert dispatcher.release() is None
    assert (state(batch), now(child)[0]) == ("succeeded", "enqueued")
    with monkeypatch.context() as patch:
        patch.setattr(batches, "look", lambda ids: None)
        batch.add([adds.bind(1, 1)])
    assert state(batch) == "succeeded"
    batches.fold()
    assert state(batch) == "started"


def test_a_batch_is_deleted_after_its_members() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    child = batch.then(succeeds)
    run(*members(batch))
    past = clock.now() - timedelta(seconds=1)
    Batch.objects.update(expires_at=past)
    cleaner.clean()
    assert Batch.objects.exists()
    run(child)
    Job.objects.update(expires_at=past)
    cleaner.clean()
    assert not Batch.objects.exists()
    assert not BatchCount.objects.exists()
    assert not JobDependency.objects.exists()


def test_a_failed_member_that_is_no_longer_stored_counts_as_deleted() -> None:
    batch = Batch.start("b", [Batch.bind("part", [fails.bind(), adds.bind(1, 1)]), adds.bind(2, 2)])
    (part,) = Batch.objects.filter(parent=batch)
    follows, anyway = batch.then(adds, 3, 3), batch.then(adds.using(on="any"), 4, 4)
    failed, *others = Job.objects.exclude(state="awaiting").order_by("pk")
    run(failed, *others)
    assert (batch.progress, state(batch)) == ((3, 2, 1, 0), "started")
    Job.objects.filter(pk=failed.pk).update(expires_at=clock.now())
    cleaner.clean()
    assert not Job.objects.filter(pk=failed.pk).exists()
    assert (batch.progress, state(batch), state(part)) == ((3, 2, 0, 1), "finished", "finished")
    assert [now(follows)[0], now(anyway)[0]] == ["deleted", "enqueued"]


def test_ten_thousand_members_take_few_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    with CaptureQueriesContext(connections["default"]) as queries:
        batch = Batch.start("large", (succeeds.bind(n) for n in range(10_000)))
    assert len(queries) < 30
    assert batch.progress.total == 10_000


def test_one_waits_for_the_end_of_a_batch() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    with pytest.raises(StillStarted):
        batch.wait(timeout=0)
    run(*members(batch))
    assert batch.wait(timeout=0).state == "succeeded"


def test_the_async_twins_do_the_same() -> None:
    async def start() -> tuple[Batch, Job]:
        batch = await Batch.astart("bulk", [adds.bind(1, 1)])
        await batch.aadd([adds.bind(2, 2)])
        child = await batch.athen(succeeds)
        await batch.acancel()
        await sync_to_async(connections.close_all)()
        return batch, child

    batch, child = asyncio.run(start())
    assert batch.progress.total == 2
    assert now(child)[0] == "awaiting"


@needs_rows_locked
def test_the_two_last_members_may_end_at_once() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1), adds.bind(2, 2)])
    child = batch.then(succeeds)
    first, second = [execution.run(job, ME) for job in machine.claim([job.pk for job in members(batch)], TYPES, ME)]
    with transaction.atomic():
        machine.acknowledge([first], ME)
        other = in_a_thread(lambda: machine.acknowledge([second], ME) and None)
        other.join(10)
        assert not other.is_alive(), "no two members wait for each other"
        assert state(batch) == "started"
    assert (state(batch), now(child)[0]) == ("succeeded", "enqueued")
