"""What the buttons and the bulk actions do, say and write down."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client

from django_jobs import client, states
from django_jobs.dashboard import jobactions
from django_jobs.models import Job
from tests.app.jobs import succeeds
from tests.dashboard.conftest import claim, failed, fresh, in_state

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"


def press(browser: Client, job: Job, verb: str) -> str:
    answer = browser.post(f"{LIST}{job.pk}/verb/{verb}/", follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


def act(browser: Client, action: str, *ids: Any, way: str = LIST) -> str:
    form = {"action": action, "index": 0, "_selected_action": ids}
    answer = browser.post(way, form, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


@pytest.mark.parametrize(
    ("verb", "state", "target", "told"),
    [
        ("requeue", states.FAILED, states.ENQUEUED, "was requeued"),
        ("cancel", states.SCHEDULED, states.DELETED, "was cancelled"),
        ("delete", states.SUCCEEDED, states.DELETED, "was deleted"),
        ("pause", states.SCHEDULED, states.PAUSED, "was paused"),
        ("resume", states.PAUSED, states.ENQUEUED, "was resumed"),
        ("force", states.PROCESSING, states.DELETED, "was cancelled by force"),
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
    assert entry.change_message.lower().rstrip(".") in told
    assert entry.change_message in as_root.get(f"{LIST}{job.pk}/history/").content.decode()


def test_a_lost_race_is_told_and_not_logged(as_root: Client) -> None:
    job = failed()
    client.requeue([job.pk])
    claim(job)
    assert press(as_root, job, "requeue") == f"Nothing was done: job #{job.pk} is Processing now."
    assert not LogEntry.objects.exists()


def test_a_filter_that_raises_is_told_by_its_kind_alone(as_root: Client, settings: LazySettings) -> None:
    job = succeeds.enqueue()
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": ["tests.conformance.test_filters.Refuses"]}
    told = "Nothing was done: Filter tests.conformance.test_filters.Refuses raised LookupError."
    assert press(as_root, job, "cancel") == told
    assert act(as_root, "cancel_selected", job.pk) == told
    assert fresh(job).state == states.ENQUEUED


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


@pytest.mark.parametrize("query", ["?state=failed", "?q=state:failed,awaiting", "?q=-state:processing,succeeded"])
def test_a_bulk_action_leaves_alone_what_leaves_the_tab_under_its_hands(
    as_root: Client, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    job, runs = failed(), failed()
    does = jobactions.carry_out

    def late(*args: Any) -> Any:
        client.requeue([runs.pk])
        claim(runs)
        return does(*args)

    monkeypatch.setattr(jobactions, "carry_out", late)
    told = act(as_root, "delete_jobs_selected", job.pk, runs.pk, way=LIST + query)
    assert told.startswith("1 of 2 jobs were deleted.")
    assert [fresh(one).state for one in (job, runs)] == [states.DELETED, states.PROCESSING]


def test_a_bulk_action_in_a_tab_whose_jobs_it_cannot_move_does_nothing(as_root: Client) -> None:
    job = in_state(states.PROCESSING)
    assert act(as_root, "requeue_selected", job.pk, way=f"{LIST}?state=processing").startswith("0 of 1 job")
    assert fresh(job).state == states.PROCESSING
    assert act(as_root, "delete_jobs_selected", job.pk, way=f"{LIST}?q=id%3Ax").startswith("0 of 1 job")


def test_an_action_on_what_is_no_number_is_refused(as_root: Client) -> None:
    form = {"action": "requeue_selected", "index": 0, "_selected_action": ["1 OR 1=1"]}
    assert as_root.post(LIST, form).status_code == 400


def test_a_requeued_job_names_who_asked(as_root: Client) -> None:
    job = failed()
    press(as_root, job, "requeue")
    assert fresh(job).state_reason == "Requeued by root"
