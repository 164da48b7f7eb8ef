"""The history of a job may go before the job, except for the state that it is in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_jobs import clock
from django_jobs.models import Job, JobState
from django_jobs.server import cleaner
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)


def states_of(job: Job) -> list[str]:
    return list(JobState.objects.filter(job=job).order_by("pk").values_list("name", flat=True))


def moved() -> Job:
    job = succeeds.schedule(timedelta(hours=1))
    job.reschedule(timedelta(hours=2))
    job.cancel()
    return job


@pytest.fixture
def an_hour(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DJANGO_JOBS = {"RETENTION": {"history": timedelta(hours=1), "deleted": None}}
    monkeypatch.setattr(cleaner, "_OTHERS", (cleaner._History(),))


def test_old_states_go_and_the_newest_stays(an_hour: None, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = moved(), moved()
    entered = states_of(old)
    assert len(entered) > 1
    JobState.objects.filter(job=old).update(created_at=clock.now() - timedelta(hours=2))
    monkeypatch.setattr(cleaner, "BATCH", 2)
    assert cleaner.clean() is None
    assert states_of(old) == ["deleted"]
    assert states_of(new) == entered
    assert Job.objects.count() == 2


def test_a_job_that_moves_later_leaves_nothing_behind(an_hour: None) -> None:
    job = moved()
    JobState.objects.update(created_at=clock.now() - timedelta(hours=2))
    cleaner.clean()
    assert states_of(job) == ["deleted"]
    job.requeue()
    clock.clock.anchor(clock.now() + timedelta(hours=2))
    cleaner.clean()
    assert states_of(job) == ["enqueued"]


def test_history_is_kept_with_its_job_unless_the_setting_says_otherwise() -> None:
    job = moved()
    entered = states_of(job)
    JobState.objects.update(created_at=clock.now() - timedelta(hours=2))
    cleaner.clean()
    assert states_of(job) == entered
