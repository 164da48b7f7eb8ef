"""Enqueue again with changes: the form, the door, the log, and the way back to the old job."""

from __future__ import annotations

import html
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_jobs import Filter, states
from django_jobs.again import origin
from django_jobs.masking import HIDDEN
from django_jobs.models import Job
from django_jobs.states.filters import Creation
from tests.app.jobs import adds, fails, succeeds
from tests.app.people import signs_in
from tests.dashboard.conftest import AsUser, in_state

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/django_jobs/job/"


def way(job: Job) -> str:
    return f"{LIST}{job.pk}/again/"


def form(browser: Client, job: Job) -> dict[str, Any]:
    """What the form holds before anybody changes it."""
    shown = browser.get(way(job)).context["form"]
    return {name: shown[name].value() for name in shown.fields}


def post(browser: Client, job: Job, **changes: Any) -> Any:
    return browser.post(way(job), {**form(browser, job), **changes})


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    found: dict[str, list[str]] = answer.context["form"].errors
    assert all(html.escape(text) in answer.content.decode() for texts in found.values() for text in texts)
    return found


def test_a_changed_call_becomes_a_new_job_that_names_the_old_one(as_root: Client) -> None:
    old = adds.using(tags=["acme"], headers={"trace": "x"}).enqueue(1, y=2)
    changes = {"kwargs": '{"y": 5}', "queue": "critical", "priority": "7", "delay": "60"}
    answer = post(as_root, old, **changes)
    new = Job.objects.latest("pk")
    assert answer.headers["Location"] == f"{LIST}{new.pk}/change/"
    assert (new.args, new.kwargs, new.queue, new.priority, new.tags) == ([1], {"y": 5}, "critical", 7, ["acme"])
    assert (new.state, new.created_by_name, new.headers["trace"]) == (states.SCHEDULED, "root", "x")
    assert new.scheduled_at is not None
    assert new.scheduled_at - new.created_at == timedelta(seconds=60)
    assert origin(new) == old.pk
    page = as_root.get(answer.headers["Location"]).content.decode()
    assert f'was enqueued, made of job <a href="{LIST}{old.pk}/change/">#{old.pk}</a>' in page
    assert f'<dd><a href="{LIST}{old.pk}/change/">#{old.pk}</a></dd>' in page
    log = {entry.object_id: (entry.action_flag, entry.change_message) for entry in LogEntry.objects.all()}
    assert log == {
        str(new.pk): (1, f"Enqueued, made of job #{old.pk}."),
    }


@pytest.mark.parametrize("state", states.ALL)
def test_a_job_of_any_state_can_be_enqueued_again(as_root: Client, state: str) -> None:
    old = in_state(state)
    assert way(old) in as_root.get(f"{LIST}{old.pk}/change/").content.decode()
    assert post(as_root, old).status_code == 302
    new = Job.objects.latest("pk")
    assert (new.job_type, new.args, new.kwargs, new.state) == (old.job_type, old.args, old.kwargs, states.ENQUEUED)
    old.refresh_from_db()
    assert old.state == state


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"args": "{"}, "args", "valid JSON"),
        ({"args": f"[{'9' * 5000}]"}, "args", "valid JSON"),
        ({"args": "[" * 5000}, "args", "valid JSON"),
        ({"args": '{"a": 1}'}, "args", "JSON list"),
        ({"args": "[1, 2, 3]", "kwargs": ""}, "args", "too many positional arguments"),
        ({"args": "[]", "kwargs": ""}, "args", "missing a required argument"),
        ({"args": '[1, "\\u0000"]', "kwargs": ""}, "args", "args[1]: contains a NUL"),
        ({"kwargs": "[]"}, "kwargs", "JSON object"),
        ({"kwargs": '{"z": 1}'}, "kwargs", "missing a required argument: 'y'"),
        ({"kwargs": '{"y": 1, "z": 1}'}, "kwargs", "unexpected keyword argument 'z'"),
        ({"kwargs": '{"x": 1, "y": 2}'}, "kwargs", "multiple values"),
        ({"kwargs": '{"y": "\\ud800"}'}, "kwargs", "y: contains half a surrogate"),
        ({"queue": "nowhere"}, "queue", "nowhere"),
        ({"priority": "101"}, "priority", "100"),
        ({"priority": "high"}, "priority", "whole number"),
        ({"delay": "-1"}, "delay", "0"),
        ({"delay": "1e300"}, "delay", "less than or equal"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(
    as_root: Client, changes: dict[str, str], field: str, told: str
) -> None:
    old = adds.enqueue(1, y=2)
    found = errors(post(as_root, old, **changes))
    assert list(found) == [field]
    assert told in found[field][0]
    assert Job.objects.count() == 1
    assert not LogEntry.objects.exists()


def test_a_hidden_value_stays_where_it_was_and_can_be_replaced(as_root: Client) -> None:
    old = signs_in.enqueue(1, "open sesame", options={"token": "t0ken-x", "plain": 1}, pin=4711)
    shown = form(as_root, old)
    assert json.loads(shown["args"]) == [1, HIDDEN]
    assert json.loads(shown["kwargs"]) == {"options": {"token": HIDDEN, "plain": 1}, "pin": HIDDEN}
    page = as_root.get(way(old)).content.decode()
    assert "sesame" not in page
    kwargs = json.dumps({"options": {"token": HIDDEN, "plain": 2}, "pin": 815})
    assert post(as_root, old, kwargs=kwargs).status_code == 302
    new = Job.objects.latest("pk")
    assert new.args == [1, "open sesame"]
    assert new.kwargs == {"options": {"token": "t0ken-x", "plain": 2}, "pin": 815}
    moved = errors(post(as_root, old, args=json.dumps([HIDDEN])))
    assert "stands for a value that is not shown" in moved["args"][0]


def test_what_python_takes_for_equal_is_a_change_all_the_same(as_root: Client) -> None:
    old = succeeds.enqueue([1, 0, 2])
    assert post(as_root, old, args="[[true, false, 2.0]]").status_code == 302
    assert json.dumps(Job.objects.latest("pk").args) == "[[true, false, 2.0]]"


def test_it_takes_the_right_to_enqueue_and_to_see_jobs(as_user: AsUser) -> None:
    old = succeeds.enqueue("s3cret")
    for permissions in ([], ["enqueue_job"], ["view_job", "requeue_job", "view_payload_job"]):
        browser = as_user(*permissions)
        assert browser.get(way(old)).status_code == 403
        assert browser.post(way(old), {"queue": "default", "priority": 0, "delay": 0}).status_code == 403
    assert Client().post(way(old)).headers["Location"].startswith("/admin/login/")
    assert way(old) not in as_user("view_job").get(f"{LIST}{old.pk}/change/").content.decode()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = as_user("view_job", "enqueue_job", username="allowed").cookies
    assert strict.post(way(old), {"queue": "default", "priority": 0, "delay": 0}).status_code == 403
    assert Job.objects.count() == 1


def test_who_may_not_see_arguments_enqueues_the_same_ones(as_user: AsUser) -> None:
    old = succeeds.enqueue("s3cret")
    browser = as_user("view_job", "enqueue_job")
    assert way(old) in browser.get(f"{LIST}{old.pk}/change/").content.decode()
    page = browser.get(way(old))
    assert "s3cret" not in page.content.decode()
    assert list(page.context["form"].fields) == ["queue", "priority", "delay"]
    given = {"args": '["other"]', "queue": "default", "priority": "3", "delay": "0"}
    assert browser.post(way(old), given).status_code == 302
    assert Job.objects.latest("pk").args == ["s3cret"]


def test_a_taken_unique_key_names_its_holder(as_root: Client) -> None:
    old = succeeds.using(unique_key="invoice-7").enqueue()
    found = errors(post(as_root, old))
    assert found == {"__all__": [f"Job #{old.pk} has its unique key."]}
    old.cancel()
    assert post(as_root, old).status_code == 302
    assert Job.objects.latest("pk").unique_key == "invoice-7"


class Refuses(Filter):
    def creating(self, creation: Creation) -> None:
        creation.cancel("out of hours")


def test_what_a_filter_refuses_is_told(as_root: Client, settings: Any) -> None:
    old = fails.enqueue()
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": [f"{__name__}.Refuses"]}
    assert "out of hours" in errors(post(as_root, old))["__all__"][0]
    assert Job.objects.count() == 1


def test_a_job_that_is_gone_leads_to_the_list(as_root: Client) -> None:
    for page in ("again", "json"):
        assert as_root.get(f"{LIST}4711/{page}/").headers["Location"] == LIST
