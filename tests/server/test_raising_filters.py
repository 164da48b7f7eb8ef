"""What the loops do while a filter of the site raises for one job: all the rest. In the end that job is Failed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import LazySettings

from django_jobs import Batch, Filter, batching, clock
from django_jobs.models import Job, RecurringJob
from django_jobs.server import dispatcher, recurring, routing
from tests.app.jobs import adds
from tests.conformance.test_filters import Culprit, blame, both, claim, is_failed_by, no_pauses, use

__all__ = ["no_pauses"]

pytestmark = pytest.mark.django_db(transaction=True)


@both
def test_a_bell_of_a_cancelled_batch_breaks_no_worker(settings: LazySettings, kind: type[Filter]) -> None:
    batch = Batch.start("b", [adds.bind(number, 0) for number in range(3)])
    jobs = list(Job.objects.order_by("pk"))
    batching.cancel(batch)
    use(settings, kind)
    blame(jobs[1], "deleted")
    routing.forward([job.pk for job in jobs], ["tests.adds"])
    assert [job.state for job in Job.objects.order_by("pk")] == ["deleted", "enqueued", "deleted"]
    Culprit.tries = 1
    for _ in range(3):
        routing.forward([jobs[1].pk], ["tests.adds"])
    is_failed_by(jobs[1], kind)


@both
def test_a_cancelled_batch_holds_up_no_continuation(settings: LazySettings, kind: type[Filter]) -> None:
    parent = adds.enqueue(1, 2)
    child = parent.then(adds, 3, 4)
    batch = Batch.start("b", [adds.bind(1, 0)])
    member = Job.objects.get(batch=batch.pk)
    batching.cancel(batch)
    claim(parent)
    Job.objects.filter(pk=parent.pk).update(state="succeeded")  # the edge is left to the leader
    use(settings, kind)
    blame(member, "deleted")
    for _ in range(4):
        dispatcher.release()
    child.refresh_from_db()
    assert child.state == "enqueued"
    is_failed_by(member, kind)


@both
def test_a_run_that_waited_holds_up_no_schedule(settings: LazySettings, kind: type[Filter]) -> None:
    now = clock.now()
    first = RecurringJob.objects.add_or_update("first", "tests.adds", cron="0 0 1 1 *", args=[1, 2], overlap="queue")
    waiting = adds.enqueue(1, 2)
    Job.objects.filter(pk=waiting.pk).update(state="awaiting", recurring_job=first)
    RecurringJob.objects.filter(pk="first").update(waiting_job=waiting)
    RecurringJob.objects.add_or_update("second", "tests.adds", cron="* * * * *", args=[3, 4])
    RecurringJob.objects.filter(pk="second").update(next_run=now - timedelta(seconds=1), since=now - timedelta(hours=1))
    use(settings, kind)
    blame(waiting, "enqueued")
    recurring.fire_due()
    assert Job.objects.filter(recurring_job="second").exists()
    for _ in range(3):
        recurring.fire_due()
    is_failed_by(waiting, kind)
    recurring.fire_due()
    assert RecurringJob.objects.get(pk="first").waiting_job is None
