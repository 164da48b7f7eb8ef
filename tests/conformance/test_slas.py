"""Service levels: noted while the job still waits or runs, or at its end, once for each attempt, and told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from django_jobs import Retry, clock, execution, signals, slas
from django_jobs.clock import clock as the_clock
from django_jobs.decorators import JobFunction, job
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Breach, Job
from django_jobs.registry import registry
from django_jobs.server import cleaner
from django_jobs.server.children import WORKER, Child
from django_jobs.server.process import ServerOptions
from django_jobs.server.supervisor import Supervisor
from django_jobs.states import machine

pytestmark = pytest.mark.django_db(transaction=True)
ME = "server/1"


def passes() -> None: ...


@pytest.fixture
def promised() -> Iterator[JobFunction[Any, Any]]:
    made = job("t.promised", max_wait=60, max_run=timedelta(seconds=10), retry=Retry(delays=[0]))(passes)
    yield made
    registry.remove("t.promised")


@pytest.fixture
def told() -> Iterator[list[Breach]]:
    heard: list[Breach] = []

    def listen(sender: Any, breach: Breach, **kwargs: Any) -> None:
        heard.append(breach)

    signals.sla_breached.connect(listen)
    yield heard
    signals.sla_breached.disconnect(listen)


def later(seconds: float) -> None:
    the_clock.anchor(clock.now() + timedelta(seconds=seconds))


def claim(row: Job) -> machine.Claimed:
    (claimed,) = machine.claim([row.pk], ["t.promised"], ME)
    return claimed


def kinds(row: Job) -> list[tuple[str, int]]:
    return list(Breach.objects.filter(job=row).order_by("id").values_list("kind", "attempt"))


def test_a_job_that_waits_too_long_is_noted_once_and_told(promised: JobFunction[Any, Any], told: list[Breach]) -> None:
    late = promised.enqueue()
    later(50)
    fresh = promised.enqueue()
    slas.look()
    assert kinds(late) == []
    later(20)
    slas.look()
    slas.look()
    assert (kinds(late), kinds(fresh)) == ([("max_wait", 1)], [])
    assert [breach.job for breach in told] == [late]
    assert re.fullmatch(r"Waited too long: 7[0-9](\.[0-9])? s, promised were 60 s", str(told[0]))


def test_a_job_that_runs_too_long_is_noted_while_it_runs(promised: JobFunction[Any, Any], told: list[Breach]) -> None:
    row = promised.enqueue()
    claim(row)
    later(11)
    slas.look()
    assert kinds(row) == [("max_run", 1)]
    assert told[0].limit == 10


def test_what_was_over_before_anybody_looked_is_noted_at_its_end(promised: JobFunction[Any, Any]) -> None:
    row = promised.enqueue()
    later(61)
    claimed = claim(row)
    run = execution.run(claimed, ME)
    slow = run._replace(finished_at=run.started_at + timedelta(seconds=12))
    slas.observe(claimed, slow, promised.job_type)
    slas.observe(claimed, slow, promised.job_type)
    assert kinds(row) == [("max_wait", 1), ("max_run", 1)]


def test_a_scheduled_job_waits_from_its_time_on(promised: JobFunction[Any, Any]) -> None:
    row = promised.schedule(timedelta(hours=1))
    later(3650)
    machine.move_due(clock.now())
    claimed = claim(row)
    slas.observe(claimed, execution.run(claimed, ME), promised.job_type)
    assert kinds(row) == []


def test_each_attempt_has_its_own_service_level(promised: JobFunction[Any, Any]) -> None:
    row = promised.enqueue()
    later(61)
    slas.look()
    claimed = claim(row)
    machine.acknowledge([execution.failure(claimed, clock.now(), ValueError("once"))], ME)
    later(61)
    slas.look()
    assert kinds(row) == [("max_wait", 1), ("max_wait", 2)]


def test_a_run_that_outlives_its_row_harms_no_worker(promised: JobFunction[Any, Any]) -> None:
    row = promised.enqueue()
    claimed = claim(row)
    row.cancel()
    Job.objects.update(expires_at=clock.now())
    cleaner.clean()
    slas.observe(claimed, execution.run(claimed, ME), promised.job_type)
    assert not Breach.objects.exists()


def test_a_database_that_is_away_fails_no_run(
    promised: JobFunction[Any, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    claimed = claim(promised.enqueue())

    def refuses(*args: Any) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(slas, "_waited_since", refuses)
    slas.observe(claimed, execution.run(claimed, ME), promised.job_type)
    assert "was not noted: away" in caplog.text


def test_breaches_go_with_their_job(promised: JobFunction[Any, Any]) -> None:
    row = promised.enqueue()
    later(61)
    slas.look()
    row.cancel()
    later(86400 * 2)
    cleaner.clean()
    assert not Breach.objects.exists()


def test_a_wrong_service_level_is_refused() -> None:
    with pytest.raises(InvalidJob, match="max_wait: is -1; give seconds above 0"):
        job("t.wrong", max_wait=-1)(passes)


def test_what_a_killed_worker_ran_is_noted_too(promised: JobFunction[Any, Any]) -> None:
    row = promised.enqueue()
    later(61)
    claim(row)
    later(11)
    slas.observe_killed([row.pk], "somebody/else")
    assert kinds(row) == []
    child = Child(WORKER, ["default"], name=ME)
    child.shared.begin(0, row.pk, 1)
    Supervisor(ServerOptions(name="s", queues=["default"], types=["t.promised"], address="t.1"))._take_over(
        child, "Its worker died", "died"
    )
    row.refresh_from_db()
    assert (row.state, row.deaths) == ("enqueued", 1)
    assert kinds(row) == [("max_wait", 1), ("max_run", 1)]
