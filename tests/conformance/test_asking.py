"""What people ask of jobs that wait or run: to pause, to go on, to be cancelled, by force too. On every database."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from django_jobs import client, clock, execution, queues, states
from django_jobs.models import Job, JobState
from django_jobs.queues import Order
from django_jobs.states import asking, machine
from django_jobs.states.moves import Target
from django_jobs.states.statements import Claimed, Finish, Then
from tests.app.jobs import adds, fails_twice
from tests.app.longjobs import cancels_itself

pytestmark = pytest.mark.django_db(transaction=True)

TYPES = ["tests.adds", "tests.fails_twice", "tests.cancels_itself"]
ME = "server/1"


class Ada:
    def get_username(self) -> str:
        return "ada"


ADA = Ada()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    """The orders that workers were sent."""
    orders: list[Order] = []
    monkeypatch.setattr(queues, "send", orders.extend)
    return orders


def running(job: Job) -> Claimed:
    (claimed,) = machine.claim([job.pk], TYPES, ME)
    return claimed


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def finish(job: Job, state: str = states.SUCCEEDED, then: Then | None = None, reason: str = "") -> Finish:
    now = clock.now()
    failed = int(state == states.FAILED)
    return Finish(job.pk, fresh(job).run, state, reason, now, now, None, "{}", timedelta(days=1), failed, then=then)


def stopped(job: Job) -> Finish:
    """A run that stopped at its checkpoint."""
    return finish(job, states.ENQUEUED, Then(states.ENQUEUED, "", None, None), "Put back at its checkpoint")


def test_waiting_jobs_pause_at_once_and_come_back_to_what_they_were() -> None:
    enqueued, scheduled, due, awaiting = (
        adds.enqueue(1, 1),
        adds.schedule(timedelta(hours=1), 1, 1),
        adds.schedule(timedelta(hours=1), 1, 1),
        adds.enqueue(1, 1),
    )
    machine.move([awaiting.pk], Target(states.AWAITING), expected={states.ENQUEUED})
    ids = [job.pk for job in (enqueued, scheduled, due, awaiting)]
    assert sorted(client.pause(ids, by=ADA)) == sorted(ids)
    assert {fresh(job).state for job in (enqueued, scheduled, due, awaiting)} == {"paused"}
    assert enqueued.state_reason == "Paused by ada"
    assert machine.claim(ids, TYPES, ME) == []
    Job.objects.filter(pk=due.pk).update(scheduled_at=clock.now() - timedelta(seconds=1))
    assert machine.move_due(clock.now()) == []
    assert sorted(client.resume(ids, by=ADA)) == sorted(ids)
    assert [fresh(job).state for job in (enqueued, scheduled, due, awaiting)] == [
        "enqueued",
        "scheduled",
        "enqueued",
        "awaiting",
    ]
    assert (enqueued.state_reason, enqueued.paused_from) == ("Resumed by ada", "")
    assert queues.waiting("default") >= {enqueued.pk, due.pk}


def test_a_running_job_is_asked_and_pauses_when_it_stops(told: list[Order]) -> None:
    job = adds.enqueue(1, 1)
    running(job)
    assert job.pause(by=ADA)
    assert (fresh(job).state, job.asked, job.state_reason) == ("processing", "pause", "Pausing by ada")
    assert told == [Order("pause", "default", ME, job.pk, 1)]
    assert not job.pause(by=ADA), "it was asked already"
    assert machine.acknowledge([stopped(job)], ME).done
    assert (fresh(job).state, job.asked, job.state_reason) == ("paused", "", "Paused by ada")
    assert (job.attempt, job.failures) == (1, 0)
    assert job.resume()
    assert (fresh(job).state, running(job).run) == ("enqueued", 2)


def test_a_pause_can_be_taken_back_before_the_job_stops(told: list[Order]) -> None:
    job = adds.enqueue(1, 1)
    running(job)
    job.pause()
    assert job.resume()
    assert [order.word for order in told] == ["pause", "resume"]
    assert (fresh(job).state, job.asked, job.state_reason) == ("processing", "", "")
    assert machine.acknowledge([stopped(job)], ME).done
    assert fresh(job).state == "enqueued", "it stopped all the same, so it goes on at once"


def test_a_run_that_stops_for_a_deploy_goes_back_in_front_uncounted() -> None:
    job = adds.using(expires=timedelta(seconds=30)).enqueue(1, 1)
    running(job)
    assert machine.acknowledge([stopped(job)], ME).done
    assert (fresh(job).state, job.failures, job.deaths, job.start_before) == ("enqueued", 0, 0, None)


@pytest.mark.parametrize("how", ["give_back", "release", "bury"])
def test_a_job_whose_worker_goes_while_it_is_pausing_is_paused(how: str) -> None:
    job = adds.enqueue(1, 1)
    run = running(job)
    job.pause(by=ADA)
    if how == "give_back":
        machine.give_back([(job.pk, run.run)], ME, "another runs long")
    elif how == "release":
        machine.release(ME, "it died")
    else:
        machine.bury(job.pk, ME, "it died")
    assert (fresh(job).state, job.state_reason, job.deaths) == ("paused", "Paused by ada", int(how == "bury"))
    assert job.resume()
    assert running(job).run == 2


def test_a_pausing_job_that_fails_does_not_start_its_retry() -> None:
    job = fails_twice.enqueue()
    running(job)
    job.pause()
    then = Then(states.SCHEDULED, "Retry 1 of 3", clock.now() + timedelta(hours=1), None)
    machine.acknowledge([finish(job, states.FAILED, then, "ValueError: no")], ME)
    assert (fresh(job).state, job.asked, job.failures) == ("paused", "", 1)
    assert job.resume()
    assert fresh(job).state == "scheduled"


def test_a_pausing_job_that_ends_has_ended() -> None:
    job = adds.enqueue(1, 1)
    running(job)
    job.pause()
    machine.acknowledge([finish(job)], ME)
    assert fresh(job).state == "succeeded"
    assert not job.pause()
    assert not job.resume()
    assert job.requeue()
    running(job)
    assert fresh(job).asked == ""


def test_a_paused_job_can_be_cancelled() -> None:
    job = adds.enqueue(1, 1)
    job.pause()
    assert job.cancel(by=ADA)
    assert (fresh(job).state, job.state_reason) == ("deleted", "Cancelled by ada")


def test_a_running_job_that_is_cancelled_is_deleted_at_once_and_its_worker_told(told: list[Order]) -> None:
    job, waiting = adds.enqueue_many([(1, 1), (2, 2)])
    running(job)
    client.cancel([job.pk, waiting.pk], by=ADA)
    assert told == [Order("cancel", "default", ME, job.pk, 1)]
    assert (fresh(job).state, job.state_reason, job.asked) == ("deleted", "Cancelled by ada", "cancel")
    assert (fresh(waiting).state, waiting.asked) == ("deleted", "")
    assert machine.acknowledge([finish(job)], ME).stale
    assert (fresh(job).state, job.result, job.asked) == ("deleted", None, "")


def test_nobody_is_told_of_a_cancellation_that_is_rolled_back(told: list[Order]) -> None:

    job = adds.enqueue(1, 1)
    running(job)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        job.cancel()
        job.pause()
        raise ZeroDivisionError
    assert told == []
    assert (fresh(job).state, job.asked) == ("processing", "")


def test_a_cancelled_job_that_runs_on_can_be_cancelled_by_force(told: list[Order]) -> None:
    job = adds.enqueue(1, 1)
    running(job)
    assert job.cancel()
    assert asking.condemned([job.pk]) == {}
    assert job.cancel(force=True)
    assert [order.word for order in told] == ["cancel", "kill"]
    assert asking.condemned([job.pk]) == {job.pk: ME}
    asking.settle([job.pk], ME)
    assert asking.condemned([job.pk]) == {}
    assert not job.cancel(force=True), "nothing of it runs any more"


def test_force_needs_no_cancellation_before(told: list[Order]) -> None:
    job, waiting = adds.enqueue_many([(1, 1), (2, 2)])
    running(job)
    assert sorted(client.cancel([job.pk, waiting.pk], by=ADA, force=True)) == [job.pk, waiting.pk]
    assert told == [Order("kill", "default", ME, job.pk, 1)]
    assert asking.condemned([job.pk, waiting.pk]) == {job.pk: ME}
    assert JobState.objects.filter(job=job).last().data == {"by": "ada", "forced": True}  # type: ignore[union-attr]


def test_a_requeued_job_is_no_longer_condemned() -> None:
    job = adds.enqueue(1, 1)
    running(job)
    job.cancel(force=True)
    assert job.requeue()
    assert running(job).run == 2
    asking.settle([job.pk], ME, 1)
    assert asking.condemned([job.pk]) == {}
    assert fresh(job).state == "processing"


def test_a_job_can_cancel_itself() -> None:
    job = cancels_itself.enqueue()
    run: Any = execution.run(running(job), ME)
    assert machine.acknowledge([run], ME).done
    assert (fresh(job).state, job.state_reason, job.failures) == ("deleted", "Cancelled by itself", 0)
    assert "traceback" not in json.dumps(JobState.objects.filter(job=job).last().data)  # type: ignore[union-attr]


def test_the_command_line_pauses_resumes_and_cancels_by_force(told: list[Order]) -> None:
    waiting, run = adds.enqueue_many([(1, 1), (2, 2)])
    running(run)
    out = StringIO()
    call_command("jobs", "pause", waiting.pk, run.pk, stdout=out)
    call_command("jobs", "show", run.pk, stdout=out)
    call_command("jobs", "resume", waiting.pk, stdout=out)
    call_command("jobs", "cancel", "--force", run.pk, stdout=out)
    with pytest.raises(CommandError, match=r"Not resumed: .* that is possible from paused, processing"):
        call_command("jobs", "resume", waiting.pk, stdout=out)
    text = out.getvalue()
    assert "2 of 2 job(s) paused, or asked to" in text
    assert "it is to pause, but has made no checkpoint in this run" in text
    assert "1 of 1 job(s) resumed" in text
    assert [order.word for order in told] == ["pause", "kill"]


def test_the_async_twins_do_the_same(told: list[Order]) -> None:
    one, two = adds.enqueue_many([(1, 1), (2, 2)])
    running(two)

    async def both() -> list[bool]:
        return [await one.apause(), await one.aresume(), await two.apause(), await two.acancel(force=True)]

    assert async_to_sync(both)() == [True] * 4
    assert [order.word for order in told] == ["pause", "kill"]


def test_a_continuation_that_was_paused_waits_again_and_is_released() -> None:
    parent = adds.enqueue(1, 1)
    child = parent.then(adds, 2, 2)
    assert (fresh(child).state, child.pause()) == ("awaiting", True)
    running(parent)
    machine.acknowledge([finish(parent)], ME)
    assert fresh(child).state == "paused", "its parent's end does not start it"
    assert child.resume()
    assert fresh(child).state == "enqueued"


def test_a_continuation_that_was_paused_is_deleted_with_its_condition() -> None:
    parent = adds.enqueue(1, 1)
    child = parent.then(adds, 2, 2)
    child.pause()
    parent.cancel()
    assert fresh(child).state == "deleted"


def test_a_continuation_that_is_resumed_waits_on() -> None:
    parent = adds.enqueue(1, 1)
    child = parent.then(adds, 2, 2)
    child.pause()
    child.resume()
    assert fresh(child).state == "awaiting"
    running(parent)
    machine.acknowledge([finish(parent)], ME)
    assert fresh(child).state == "enqueued"


def test_a_job_that_was_cancelled_before_it_began_is_not_said_to_run(told: list[Order]) -> None:
    job = adds.enqueue(1, 1)
    run = running(job)
    job.cancel()
    assert machine.give_back([(job.pk, run.run)], ME, "another runs long") == []
    assert (fresh(job).state, job.asked) == ("deleted", "")
