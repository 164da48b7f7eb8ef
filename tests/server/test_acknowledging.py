"""The record of runs: halved around what the database refuses, and known again after a lost confirmation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError

from django_jobs import clock, execution
from django_jobs.models import Job
from django_jobs.server.keeper import acknowledge
from django_jobs.server.process import persistently
from django_jobs.states import machine
from django_jobs.states.statements import Finish
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)
ME = "server/1"


def finished(count: int) -> tuple[list[Job], list[Finish]]:
    jobs = adds.enqueue_many([(n, n) for n in range(count)])
    claimed = machine.claim([job.pk for job in jobs], ["tests.adds"], ME)
    return jobs, [execution.run(job, ME) for job in sorted(claimed)]


def test_a_value_that_the_database_refuses_fails_its_job_alone(caplog: pytest.LogCaptureFixture) -> None:
    jobs, runs = finished(9)
    runs[4] = runs[4]._replace(result="this is no JSON")
    acknowledge(runs, ME)
    rows = {job.pk: job for job in Job.objects.all()}
    assert [rows[job.pk].state for job in jobs] == ["succeeded"] * 4 + ["failed"] + ["succeeded"] * 4
    assert rows[jobs[4].pk].state_reason.startswith("Its result or error cannot be stored")
    assert f"What job {jobs[4].pk} left behind cannot be stored" in caplog.text


def test_a_lost_confirmation_is_not_a_stale_result(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, runs = finished(3)
    honest: Callable[..., Any] = machine.acknowledge
    tries: list[int] = []

    def commits_and_breaks(runs: Sequence[Finish], worker: str) -> Any:
        tries.append(1)
        answer = honest(runs, worker)
        if len(tries) == 1:
            raise OperationalError("the connection was lost after the commit")
        return answer

    monkeypatch.setattr(machine, "acknowledge", commits_and_breaks)
    acknowledge(runs, ME)
    assert len(tries) == 2
    assert "was dropped" not in caplog.text
    assert {job.state for job in Job.objects.all()} == {"succeeded"}


def test_poison_is_not_tried_again_and_again() -> None:
    tries: list[int] = []

    def refuses() -> None:
        tries.append(1)
        raise DataError("no such value")

    with pytest.raises(DataError):
        persistently(refuses, "a test waits")
    assert len(tries) == 1


def test_a_stale_run_is_told(caplog: pytest.LogCaptureFixture) -> None:
    jobs, runs = finished(1)
    machine.release(ME, "it was believed dead")
    acknowledge(runs, ME)
    assert f"the result of run 1 of job {jobs[0].pk} was dropped" in caplog.text


def test_the_histories_of_a_set_are_its_own() -> None:
    jobs, runs = finished(3)
    acknowledge(runs, ME)
    for number, job in enumerate(jobs):
        job.refresh_from_db()
        assert job.result == 2 * number
        assert json.dumps(job.history()[-1].data).startswith('{"seconds"')
        assert clock.now() - job.history()[-1].created_at < timedelta(minutes=1)
