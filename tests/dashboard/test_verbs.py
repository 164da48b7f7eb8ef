"""What the buttons and the bulk actions do, say and write down."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client

from django_jobs import client, monitoring, states
from django_jobs.models import Job
from django_jobs.states import machine
from tests.app.jobs import succeeds
from tests.dashboard.conftest import claim, failed, fresh, in_state

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"


def press(browser: Client, job: Job, verb: str) -> str:
    answer = browser.post(f"{LIST}{job.pk}/verb/{verb}/", follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def act(browser: Client, action: str, *ids: Any, way: str = LIST, across: int = 0) -> str:
    form = {"action": action, "index": 0, "select_across": across, "_selected_action": ids}
    answer = browser.post(way, form, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize(
    ("verb", "state", "target", "told"),
    [
        ("requeue", states.FAILED, states.ENQUEUED, "was requeued"),
        ("cancel", states.SCHEDULED, states.DELETED, "was cancelled"),
        ("delete", states.SUCCEEDED, states.DELETED, "was deleted"),
    ],
)
def test_a_verb_moves_the_job_says_so_and_is_logged(
    as_root: Client, verb: str, state: str, target: str, told: str
) -> None:
    job = in_state(state)
    assert press(as_root, job, verb) == f"Job #{job.pk} {told}."
    assert fresh(job).state == target
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id, entry.action_flag) == ("root", str(job.pk), CHANGE)
    assert entry.object_repr == f"#{job.pk} {job.job_type}"
    assert entry.change_message.lower().startswith(verb[:6])
    assert entry.change_message in as_root.get(f"{LIST}{job.pk}/history/").content.decode()


def test_a_lost_race_is_told_and_not_logged(as_root: Client) -> None:
    job = failed()
    client.requeue([job.pk])
    claim(job)
    assert press(as_root, job, "requeue") == f"Nothing was done: job #{job.pk} is Processing now."
    assert not LogEntry.objects.exists()


def test_a_verb_on_a_job_that_is_gone_says_so(as_root: Client) -> None:
    job = failed()
    Job.objects.filter(pk=job.pk).delete()
    assert "is not stored" in press(as_root, job, "requeue")


def test_a_bulk_action_says_how_many_moved_of_how_many(as_root: Client) -> None:
    jobs = [failed(), failed(), in_state(states.PROCESSING)]
    told = act(as_root, "requeue_selected", *[job.pk for job in jobs])
    assert told.startswith("2 of 3 jobs were requeued. The others")
    assert [fresh(job).state for job in jobs] == ["enqueued", "enqueued", "processing"]
    assert set(LogEntry.objects.values_list("object_id", flat=True)) == {str(job.pk) for job in jobs[:2]}


@pytest.mark.parametrize("action", ["cancel_selected", "delete_jobs_selected"])
def test_waiting_jobs_can_be_cancelled_or_deleted_in_bulk(as_root: Client, action: str) -> None:
    jobs = [in_state(states.ENQUEUED), in_state(states.SCHEDULED)]
    assert act(as_root, action, *[job.pk for job in jobs]).startswith("2 of 2 jobs were")
    assert {fresh(job).state for job in jobs} == {states.DELETED}


def test_a_bulk_action_counts_what_left_the_tab_meanwhile(as_root: Client) -> None:
    job, left = failed(), failed()
    client.requeue([left.pk])
    told = act(as_root, "delete_jobs_selected", job.pk, left.pk, way=f"{LIST}?state=failed")
    assert told.startswith("1 of 2 jobs were deleted.")
    assert fresh(left).state == states.ENQUEUED


def test_an_action_on_all_keeps_to_the_tab_and_goes_in_sets(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SET_SIZE", 2)
    jobs, other = [failed() for _ in range(5)], in_state(states.ENQUEUED)
    told = act(as_root, "requeue_selected", jobs[0].pk, way=f"{LIST}?state=failed", across=1)
    assert told == "5 of 5 jobs were requeued."
    assert fresh(other).state_reason == ""
    assert LogEntry.objects.count() == 5


def test_an_action_on_all_goes_no_further_than_the_list(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "CAP", 2)
    jobs = succeeds.enqueue_many([(1,), (2,), (3,)])
    assert act(as_root, "cancel_selected", jobs[0].pk, across=1).startswith("2 of 2 jobs")
    assert [fresh(job).state for job in jobs] == ["enqueued", "deleted", "deleted"]


def test_an_action_on_what_is_no_number_is_refused(as_root: Client) -> None:
    form = {"action": "requeue_selected", "index": 0, "_selected_action": ["1 OR 1=1"]}
    assert as_root.post(LIST, form).status_code == 400


def test_a_requeued_job_names_who_asked(as_root: Client) -> None:
    job = failed()
    press(as_root, job, "requeue")
    assert fresh(job).state_reason == "Requeued by root"
