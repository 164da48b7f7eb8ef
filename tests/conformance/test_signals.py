"""Signals tell of what was committed, and of nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from django_jobs import execution, signals
from django_jobs.models import Job
from django_jobs.states import machine
from tests.app.jobs import adds, fails, fails_and_is_deleted, fails_twice

pytestmark = pytest.mark.django_db(transaction=True)
ME = "server/1"
NAMES = ["job_created", "job_started", "job_succeeded", "job_retried", "job_failed", "job_deleted", "state_changed"]


class Ears:
    def __init__(self, *names: str) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.receivers: list[tuple[Any, Any]] = []
        for name in names or NAMES:
            self.listen(name)

    def listen(self, name: str) -> None:
        def receiver(sender: Any, signal: Any, **facts: Any) -> None:
            assert sender is Job
            ((key, value),) = facts.items()
            self.heard.append((name, value.state if key == "change" else key))

        getattr(signals, name).connect(receiver)
        self.receivers.append((getattr(signals, name), receiver))

    def close(self) -> None:
        for signal, receiver in self.receivers:
            signal.disconnect(receiver)


@pytest.fixture
def ears() -> Iterator[Ears]:
    made = Ears()
    yield made
    made.close()


def run(job: Job) -> Job:
    (claimed,) = machine.claim([job.pk], [job.job_type], ME)
    assert machine.acknowledge([execution.run(claimed, ME)], ME).done
    job.refresh_from_db()
    return job


def test_every_moment_of_a_job_that_succeeds_is_told(ears: Ears) -> None:
    assert run(adds.enqueue(1, 2)).result == 3
    assert ears.heard == [
        ("job_created", "job"),
        ("state_changed", "processing"),
        ("job_started", "context"),
        ("state_changed", "succeeded"),
        ("job_succeeded", "succeeded"),
    ]


def test_a_failure_is_told_once_nobody_tries_again(ears: Ears) -> None:
    job = run(fails_twice.enqueue())
    told = [one for one in ears.heard if one[0] != "job_created" and one[0] != "job_started"]
    assert told[1:] == [("state_changed", "failed"), ("state_changed", "scheduled"), ("job_retried", "scheduled")]
    ears.heard.clear()
    run(fails.enqueue())
    assert ears.heard[-1] == ("job_failed", "failed")
    run(run(fails_and_is_deleted.enqueue()))
    assert ears.heard[-2:] == [("state_changed", "deleted"), ("job_deleted", "deleted")]
    ears.heard.clear()
    job.requeue()
    assert ears.heard == [("state_changed", "enqueued")]


def test_verbs_and_the_leader_are_told_of(ears: Ears) -> None:
    adds.enqueue(1, 2).cancel()
    assert ears.heard[-1] == ("job_deleted", "deleted")
    job = adds.schedule(timedelta(hours=1), 1, 2)
    machine.move_due(job.scheduled_at + timedelta(seconds=1))
    assert ears.heard[-1] == ("state_changed", "enqueued")


def test_what_is_rolled_back_is_not_told(ears: Ears) -> None:
    job = adds.enqueue(1, 2)
    ears.heard.clear()
    with transaction.atomic():
        adds.enqueue(1, 2)
        job.cancel()
        assert ears.heard == []
        transaction.set_rollback(True)
    assert ears.heard == []


def test_a_receiver_that_raises_is_logged_and_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(**facts: Any) -> None:
        raise LookupError("a receiver")

    for name in NAMES:
        getattr(signals, name).connect(breaks)
    ears = Ears()
    try:
        with caplog.at_level(logging.ERROR, "django.dispatch"):
            assert run(adds.enqueue(1, 2)).state == "succeeded"
        assert len(caplog.records) == 5
        assert len(ears.heard) == 5
    finally:
        ears.close()
        for name in NAMES:
            getattr(signals, name).disconnect(breaks)


def test_a_listener_makes_no_further_statement(ears: Ears, django_assert_num_queries: Any) -> None:
    """But BEGIN and COMMIT where the statement was one."""
    with django_assert_num_queries(1):
        adds.enqueue(1, 2)
