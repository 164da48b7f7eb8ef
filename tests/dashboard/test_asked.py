"""Pausing, resuming and cancelling running jobs in the dashboard: what is offered, told and shown meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from django_jobs import clock, states
from django_jobs.models import Checkpoint, Job, Server
from tests.dashboard.conftest import WORKER, AsUser, fresh, in_state

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"


@pytest.fixture
def running() -> Job:
    """A job that a living worker runs."""
    now = clock.now()
    Server.objects.create(name=WORKER, kind="worker", host="h", pid=1, started_at=now, heartbeat_at=now)
    return in_state(states.PROCESSING)


def press(browser: Client, job: Job, verb: str) -> str:
    answer = browser.post(f"{LIST}{job.pk}/verb/{verb}/", follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


def shown(browser: Client, job: Job) -> str:
    return browser.get(f"{LIST}{job.pk}/change/").content.decode()


def offered(browser: Client, job: Job) -> set[str]:
    text = shown(browser, job)
    return {name for name in ("pause", "resume", "cancel", "force") if f"/verb/{name}/" in text}


def test_a_pause_of_a_running_job_is_told_as_asked_and_can_be_taken_back(as_root: Client, running: Job) -> None:
    assert offered(as_root, running) == {"pause", "cancel", "force"}
    assert press(as_root, running, "pause") == f"Job #{running.pk} was asked to pause at its next checkpoint."
    assert "Pausing by root" in as_root.get(LIST).content.decode()
    assert offered(as_root, running) == {"resume", "cancel", "force"}
    assert press(as_root, running, "resume") == f"Job #{running.pk} was resumed."
    assert fresh(running).asked == ""


def test_a_job_that_never_checkpointed_is_named_as_such(as_root: Client, running: Job) -> None:
    press(as_root, running, "pause")
    assert "it has made no checkpoint in this run" in shown(as_root, running)
    Checkpoint.objects.create(job_id=running.pk, run=1, data="{}", made_at=clock.now())
    text = shown(as_root, running)
    assert "it stops at its next checkpoint" in text
    assert "Last checkpoint" in text


def test_a_cancelled_job_that_runs_on_offers_force(as_root: Client, running: Job) -> None:
    press(as_root, running, "cancel")
    assert f"still runs on worker {WORKER}" in shown(as_root, running)
    assert offered(as_root, running) == {"force"}
    assert press(as_root, running, "force") == f"Job #{running.pk} was cancelled by force."
    assert "is being ended" in shown(as_root, running)
    assert offered(as_root, running) == set()


def test_a_cancelled_job_whose_worker_is_gone_runs_no_more(as_root: Client, running: Job) -> None:
    press(as_root, running, "cancel")
    Server.objects.all().delete()
    assert "still runs" not in shown(as_root, running)
    assert offered(as_root, running) == set()


def test_force_takes_the_permission_to_cancel(as_user: AsUser, running: Job) -> None:
    stranger: Any = as_user("view_job", "pause_job")
    assert stranger.post(f"{LIST}{running.pk}/verb/force/").status_code == 403
    assert fresh(running).state == "processing"
    press(as_user("view_job", "cancel_job"), running, "force")
    assert (fresh(running).state, fresh(running).asked) == ("deleted", "kill")


def test_resume_takes_the_permission_to_pause(as_user: AsUser) -> None:
    job = in_state(states.PAUSED)
    assert as_user("view_job", "cancel_job").post(f"{LIST}{job.pk}/verb/resume/").status_code == 403
    press(as_user("view_job", "pause_job"), job, "resume")
    assert fresh(job).state == "enqueued"


@pytest.mark.parametrize(("action", "state"), [("pause_selected", "paused"), ("resume_selected", "enqueued")])
def test_many_are_paused_and_resumed(as_root: Client, action: str, state: str) -> None:
    jobs = [in_state(states.ENQUEUED if state == "paused" else states.PAUSED) for _ in range(2)]
    ids = [job.pk for job in [*jobs, in_state(states.FAILED)]]
    answer = as_root.post(LIST, {"action": action, "index": 0, "_selected_action": ids}, follow=True)
    assert str(next(iter(answer.context["messages"]))).startswith("2 of 3 jobs were")
    assert {fresh(job).state for job in jobs} == {state}
