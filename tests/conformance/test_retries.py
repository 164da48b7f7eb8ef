"""Failed runs lead on, in the transaction that records them, on every database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from django_jobs import execution, monitoring, queues
from django_jobs.decorators import JobFunction
from django_jobs.models import Counter, Job
from django_jobs.states import machine
from tests.app.jobs import adds, asked, fails, fails_and_is_deleted, fails_by_djangos_terms, fails_twice, snoozes_once

pytestmark = pytest.mark.django_db(transaction=True)
ME = "server/1"


def run(job: Job) -> Job:
    """Claim and run it once, as a worker would."""
    (claimed,) = machine.claim([job.pk], [job.job_type], ME)
    assert machine.acknowledge([execution.run(claimed, ME)], ME).done
    job.refresh_from_db()
    return job


def told(job: Job) -> list[tuple[str, str]]:
    return [(entry.name, entry.reason) for entry in job.history()]


def test_a_retry_is_scheduled_and_the_history_shows_both() -> None:
    job = run(fails_twice.using(queue="critical", priority=5).enqueue())
    assert (job.state, job.state_reason, job.failures) == ("scheduled", "Retry 1 of 3: ConnectionError: attempt 1", 1)
    assert job.scheduled_at - job.finished_at == timedelta(seconds=0.1)
    assert job.expires_at is None
    assert told(job)[-2:] == [
        ("failed", "ConnectionError: attempt 1"),
        ("scheduled", "Retry 1 of 3: ConnectionError: attempt 1"),
    ]
    assert (job.queue, job.priority) == ("critical", 5)


def test_a_retry_without_delay_is_enqueued_and_rung() -> None:
    job = run(fails_twice.enqueue())
    job.requeue()
    Job.objects.filter(pk=job.pk).update(failures=1)
    queues.connect("default", timeout=5).flushdb()
    job = run(job)
    assert (job.state, job.state_reason) == ("enqueued", "Retry 2 of 3: ConnectionError: attempt 2")
    assert queues.waiting("default") == {job.pk}
    assert run(job).result == 3


def test_when_the_retries_are_used_up_the_job_is_failed_or_deleted() -> None:
    assert run(fails.enqueue()).state == "failed"
    job = run(run(fails_and_is_deleted.enqueue()))
    assert (job.state, job.state_reason, job.failures) == ("deleted", "Retries were used up", 2)
    assert job.expires_at - job.finished_at == timedelta(days=1)
    assert [name for name, _ in told(job)][-2:] == ["failed", "deleted"]


def test_only_final_failures_are_counted_as_failures() -> None:
    run(fails_twice.enqueue())
    run(fails.enqueue())
    sums: dict[str, int] = {}
    for counter in Counter.objects.all():
        sums[counter.name] = sums.get(counter.name, 0) + counter.value
    assert sums == {"failed": 1, "retried": 1}
    assert monitoring.throughput(1)["failed"] == 1


def test_a_backoff_by_the_terms_of_djangos_tasks_sees_the_job() -> None:
    job = run(run(fails_by_djangos_terms.enqueue("again")))
    assert (job.state, job.failures) == ("failed", 2)
    assert [reason for name, reason in told(job) if name == "enqueued"][1:] == ["Retry 1 of 1: ValueError: again"]
    assert asked == [(ValueError, job.pk, 1)], "the last attempt asks nobody"
    assert run(fails_by_djangos_terms.enqueue("for good")).state == "failed"


def test_a_requeue_by_hand_starts_the_count_again() -> None:
    job = run(fails_twice.enqueue())
    assert job.requeue()
    job = run(job)
    assert job.state_reason == "Retry 1 of 3: ConnectionError: attempt 1"


def test_the_site_has_a_policy_for_types_without_one() -> None:
    with override_settings(DJANGO_JOBS={"RETRY": {"attempts": 2, "delays": [30]}}):
        job = adds.enqueue(1, 2)
        Job.objects.filter(pk=job.pk).update(args=["x", 2])
        job = run(job)
    assert job.state_reason.startswith("Retry 1 of 2: ")


def test_a_set_may_hold_every_kind_of_end() -> None:
    jobs = [adds.enqueue(1, 2), fails_twice.enqueue(), fails.enqueue(), snoozes_once.enqueue(), adds.enqueue(3, 4)]
    claimed = machine.claim([job.pk for job in jobs], [job.job_type for job in jobs], ME)
    answer = machine.acknowledge([execution.run(job, ME) for job in claimed], ME)
    assert len(answer.done) == 5
    states = dict(Job.objects.values_list("pk", "state"))
    assert [states[job.pk] for job in jobs] == ["succeeded", "scheduled", "failed", "scheduled", "succeeded"]


def test_a_snoozed_job_comes_back_uncounted() -> None:
    job = run(snoozes_once.enqueue())
    assert (job.state, job.failures, job.state_reason) == ("scheduled", 0, "Snoozed for 0.2 seconds")
    job.requeue()
    assert run(job).result == [2, 1]


def test_a_job_that_started_in_time_does_not_expire_before_its_retry() -> None:
    job = run(fails_twice.using(expires=timedelta(seconds=60)).enqueue())
    assert job.start_before is None
    other = run(snoozes_once.using(expires=timedelta(seconds=60)).enqueue())
    assert other.start_before is None


def test_a_stale_failure_leads_nowhere() -> None:
    job = fails_twice.enqueue()
    (claimed,) = machine.claim([job.pk], ["tests.fails_twice"], ME)
    ended = execution.run(claimed, ME)
    job.cancel()
    assert machine.acknowledge([ended], ME).stale
    job.refresh_from_db()
    assert (job.state, job.failures) == ("deleted", 0)


@pytest.mark.parametrize("task", [fails_twice, snoozes_once])
def test_a_lost_confirmation_does_not_lead_on_twice(task: JobFunction[Any, Any]) -> None:
    job = task.enqueue()
    (claimed,) = machine.claim([job.pk], [job.job_type], ME)
    ended = execution.run(claimed, ME)
    machine.acknowledge([ended], ME)
    before = told(job)
    machine.acknowledge([ended], ME)
    assert told(job) == before
