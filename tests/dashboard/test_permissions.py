"""Who may see and do what: every door of the dashboard against every kind of user."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_jobs import client, states
from django_jobs.models import Job
from tests.dashboard.conftest import AsUser, failed, fresh, in_state, server, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
VERBS = ["requeue", "pause", "cancel", "delete"]
ACTIONS = {
    "requeue": "requeue_selected",
    "pause": "pause_selected",
    "cancel": "cancel_selected",
    "delete": "delete_jobs_selected",
}
SOURCES = {
    "requeue": states.FAILED,
    "pause": states.SCHEDULED,
    "cancel": states.ENQUEUED,
    "delete": states.FAILED,
}


def page(job: Job) -> str:
    return f"{LIST}{job.pk}/change/"


def verb(job: Job, name: str) -> str:
    return f"{LIST}{job.pk}/verb/{name}/"


def bulk(browser: Client, name: str, *jobs: Job) -> object:
    return browser.post(LIST, {"action": ACTIONS[name], "index": 0, "_selected_action": [job.pk for job in jobs]})


def test_a_staff_user_without_permissions_sees_nothing(as_user: AsUser) -> None:
    browser, job, host = as_user(), failed(), server("one")
    for way in (LIST, page(job), "/admin/django_jobs/server/", f"/admin/django_jobs/server/{host.pk}/change/"):
        assert browser.get(way).status_code == 403
    assert "django_jobs" not in browser.get("/admin/").content.decode()


def test_a_viewer_sees_jobs_and_no_button(as_user: AsUser) -> None:
    browser, job = as_user("view_job"), failed()
    assert "tests.fails" in browser.get(LIST).content.decode()
    shown = browser.get(page(job)).content.decode()
    assert "/verb/" not in shown
    assert 'name="action"' not in browser.get(LIST).content.decode()


@pytest.mark.parametrize("allowed", VERBS)
@pytest.mark.parametrize("name", VERBS)
def test_each_verb_takes_its_own_permission(as_user: AsUser, allowed: str, name: str) -> None:
    browser, one, other = as_user("view_job", f"{allowed}_job"), in_state(SOURCES[name]), in_state(SOURCES[name])
    assert (verb(one, name) in browser.get(page(one)).content.decode()) is (name == allowed)
    assert (ACTIONS[name] in browser.get(LIST).content.decode()) is (name == allowed)
    answer = browser.post(verb(one, name))
    bulk(browser, name, other)
    assert answer.status_code == (302 if name == allowed else 403)
    moved = states.VERBS[name].target if name == allowed else SOURCES[name]
    assert (fresh(one).state, fresh(other).state) == (moved, moved)
    assert LogEntry.objects.count() == (2 if name == allowed else 0)


@pytest.mark.parametrize("name", ["reschedule", "explode"])
def test_a_verb_that_is_not_offered_is_not_found(as_root: Client, name: str) -> None:
    assert as_root.post(verb(failed(), name)).status_code == 404


@pytest.mark.parametrize("way", ["add/", "{}/delete/"])
def test_nobody_adds_or_erases_a_row(as_root: Client, way: str) -> None:
    job = failed()
    assert as_root.get(LIST + way.format(job.pk)).status_code == 403
    assert as_root.post(LIST + way.format(job.pk), {"post": "yes"}).status_code == 403
    assert as_root.post(page(job), {"state": "succeeded"}).status_code == 403
    assert fresh(job).state == states.FAILED


def test_djangos_own_deletion_is_not_offered(as_root: Client) -> None:
    job = failed()
    assert "delete_selected" not in as_root.get(LIST).content.decode()
    as_root.post(LIST, {"action": "delete_selected", "_selected_action": [job.pk], "post": "yes"})
    assert fresh(job).state == states.FAILED


SECRET = "s3cret-value"


@pytest.mark.parametrize(
    "make",
    [
        lambda: succeeded(SECRET, result={"token": SECRET}),
        lambda: failed(SECRET, traceback=f"Traceback: {SECRET}", reason=f"ValueError: {SECRET}"),
        lambda: failed(SECRET, reason=f"Retry 1 of 3: {SECRET}"),
    ],
    ids=["a result", "an error", "a retry"],
)
def test_a_viewer_sees_no_arguments_result_or_traceback(as_user: AsUser, make: Callable[[], Job]) -> None:
    job, viewer, reader = make(), as_user("view_job"), as_user("view_job", "view_payload_job")
    for way in (LIST, page(job)):
        assert SECRET not in viewer.get(way).content.decode()
        assert SECRET in reader.get(way).content.decode()
    assert "are shown to users with the permission" in viewer.get(page(job)).content.decode()


def test_a_viewer_sees_and_finds_what_kind_of_error_it_was_but_not_its_message(as_user: AsUser) -> None:
    job, viewer, reader = (
        failed(reason=f"ValueError: {SECRET}"),
        as_user("view_job"),
        as_user("view_payload_job", "view_job"),
    )
    assert "ValueError" in viewer.get(LIST).content.decode()
    assert "ValueError" in viewer.get(page(job)).content.decode()
    found = f"{job.pk}/change/"
    assert found not in viewer.get(LIST, {"q": SECRET}).content.decode()
    assert found in reader.get(LIST, {"q": SECRET}).content.decode()
    assert found in viewer.get(LIST, {"q": "tests.fails"}).content.decode()


@pytest.mark.parametrize("lookup", ["args__icontains", "kwargs__has_key", "result__icontains", "args"])
def test_a_viewer_cannot_guess_arguments_in_the_address(as_user: AsUser, lookup: str) -> None:
    succeeded(SECRET)
    assert as_user("view_job").get(LIST, {lookup: "s"}).status_code == 400


def test_a_job_cancelled_here_says_by_whom(as_root: Client) -> None:
    job = in_state(states.ENQUEUED)
    as_root.post(verb(job, "cancel"))
    assert fresh(job).state_reason == "Cancelled by root"
    assert client.requeue([job.pk]) == [job.pk]
