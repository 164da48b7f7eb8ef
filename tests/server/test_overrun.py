"""Jobs whose worker is killed because of them, and orders that come before their run has begun."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from django_jobs import Filter, control, execution, job, queues
from django_jobs.backoff import Retry
from django_jobs.control import runs
from django_jobs.decorators import JobFunction
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.server import orders, overrun
from django_jobs.server.shared import Shared, Slot
from django_jobs.server.zygote import Ride
from django_jobs.states import machine
from tests.app.jobs import adds
from tests.conformance.test_filters import blame, both, use

pytestmark = pytest.mark.django_db(transaction=True)

ME = "server/1"
STUCK = "t.stuck"


def passes() -> None: ...


@pytest.fixture
def stuck() -> Iterator[JobFunction[Any, Any]]:
    yield job(STUCK, unique=True, max_concurrency=1, hard_timeout=1, retry=Retry(attempts=0))(passes)
    registry.remove(STUCK)


def claim(row: Job, name: str) -> machine.Claimed:
    (claimed,) = machine.claim([row.pk], [name], ME)
    return claimed


def test_a_killed_job_frees_its_unique_key_and_its_slots(stuck: JobFunction[Any, Any]) -> None:
    row = stuck.enqueue()
    claimed = claim(row, STUCK)
    overrun.fail([Slot(row.pk, claimed.run, 1.0)], ME)
    row.refresh_from_db()
    assert (row.state, row.active_key) == ("failed", None)
    another = stuck.enqueue()
    assert another.pk != row.pk
    assert claim(another, STUCK).run == 1


@both
def test_a_killed_job_is_failed_also_while_a_filter_raises(
    settings: LazySettings, stuck: JobFunction[Any, Any], kind: type[Filter]
) -> None:
    row = stuck.enqueue()
    claimed = claim(row, STUCK)
    use(settings, kind)
    blame(row, "failed")
    overrun.fail([Slot(row.pk, claimed.run, 1.0)], ME)
    row.refresh_from_db()
    assert (row.state, row.active_key) == ("failed", None)
    assert f"{kind.__name__} raised" in row.state_reason


def test_a_run_that_has_not_begun_hears_of_a_forced_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, signum: killed.append(pid))
    row = adds.enqueue(1, 2)
    claimed = claim(row, "tests.adds")
    payload = {"command": queues.COMMAND, "word": control.KILL, "runs": [(row.pk, claimed.run)]}
    row.cancel(force=True)
    assert orders.obey(payload, Shared())
    assert not killed
    run = execution.run(claimed, ME)
    assert (run.state, run.result) == ("deleted", None), "its function was not called"


def test_a_run_that_goes_on_is_ended_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "killpg", lambda pid, signum: killed.append(signum))
    runs.begin((1, 1))
    shared = Shared()
    orders.obey({"command": queues.COMMAND, "word": control.KILL, "runs": [(1, 1)]}, shared)
    runs.end((1, 1))
    assert (killed, shared.condemned) == ([signal.SIGKILL], True)


def test_an_isolated_job_that_ends_at_its_limit_is_no_error_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(pid: int, signum: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "killpg", refuses)
    (work, horse), (state, zygote) = socket.socketpair(), socket.socketpair()
    with work, horse, state, zygote:
        ride = Ride((work, state), 0.01)
        ride._pid, ride._deadline = 4242, 0.0
        assert ride._wait() is None
        assert ride._late
