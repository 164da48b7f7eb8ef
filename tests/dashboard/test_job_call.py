"""The call on a job's page: as written in Python, its arguments one by one, what they name, and what nobody sees."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from django_jobs import JobContext, clock, states
from django_jobs.console import outbox
from django_jobs.masking import HIDDEN
from django_jobs.models import Job
from django_jobs.states import machine
from django_jobs.states.moves import Target
from tests.app.jobs import adds, succeeds
from tests.app.people import greets, signs_in
from tests.dashboard.conftest import WORKER, AsUser, claim, finish, fresh, server

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
PASSWORD = "open-sesame"


def shown(browser: Client, job: Job, page: str = "change") -> str:
    answer = browser.get(f"{LIST}{job.pk}/{page}/")
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def told(browser: Client, job: Job) -> Any:
    return json.loads(browser.get(f"{LIST}{job.pk}/json/").content)


def test_a_call_is_shown_as_it_would_be_written(as_root: Client) -> None:
    text = shown(as_root, adds.enqueue(1, y=2))
    assert "from tests.app.jobs import adds\n\nadds.enqueue(1, y=2)" in text
    other = adds.using(queue="critical", priority=-5, tags=["acme"]).enqueue(1, 2)
    assert "adds.using(queue='critical', priority=-5, tags=['acme']).enqueue(1, 2)" in shown(as_root, other)


def test_a_long_call_has_a_line_for_each_argument(as_root: Client) -> None:
    assert f"succeeds.enqueue(\n    '{'x' * 90}',\n)" in shown(as_root, succeeds.enqueue("x" * 90))


def test_what_is_shown_can_be_run_again(as_root: Client) -> None:
    for job in (adds.enqueue(1, y=2), adds.using(queue="critical", tags=["a'b"]).enqueue(3, 4)):
        code = shown(as_root, job).split('aria-label="Call">')[1].split("</pre>")[0]
        exec(code, {})
        made = Job.objects.latest("pk")
        assert [(made.job_type, made.args, made.kwargs, made.queue, made.tags)] == [
            (job.job_type, job.args, job.kwargs, job.queue, job.tags)
        ]


def test_a_type_without_its_code_is_enqueued_by_name(as_root: Client, live_server_row: Any) -> None:
    live_server_row.types = ["elsewhere.does"]
    live_server_row.save()
    from django_jobs.client import Options, enqueue

    [job] = enqueue("elsewhere.does", [((1,), {"x": "y"})], Options(queue="critical"))
    code = shown(as_root, job).split('aria-label="Call">')[1].split("</pre>")[0]
    assert code.startswith("from django_jobs.client import Options, enqueue")
    exec(code, {})
    made = Job.objects.latest("pk")
    assert (made.pk > job.pk, made.job_type, made.args, made.kwargs) == (True, "elsewhere.does", [1], {"x": "y"})


def test_arguments_stand_under_the_names_of_their_parameters(as_root: Client) -> None:
    text = shown(as_root, adds.enqueue(1, 2))
    assert '<th scope="row">x <span class="quiet">int</span></th>' in text
    assert '<th scope="row">y <span class="quiet">int</span></th>' in text


def test_sensitive_values_are_hidden_from_everybody_everywhere(as_root: Client) -> None:
    job = signs_in.enqueue(1, PASSWORD, token={"deep": PASSWORD}, pin=471147)
    machine.claim([job.pk], [job.job_type], WORKER)
    ctx = JobContext(job.pk, job.job_type, "default", 1, 1, WORKER)
    ctx.log(f"trying {PASSWORD}")
    ctx.metadata["authorization"] = f"Bearer {PASSWORD}"
    outbox.flush()
    finish(
        job,
        state=states.FAILED,
        reason=f"ValueError: {PASSWORD}",
        data={"exception": "ValueError", "message": PASSWORD, "traceback": f"ValueError: {PASSWORD} 471147"},
    )
    again = failed_once_more(job)
    lists = [as_root.get(f"/admin/django_jobs/{name}/").content.decode() for name in ("job", "failure", "waitingretry")]
    for page in (shown(as_root, job), shown(as_root, job, "json"), shown(as_root, again), *lists):
        assert PASSWORD not in page
        assert "471147" not in page
        assert HIDDEN in page
    line = as_root.get(f"{LIST}{job.pk}/live/").json()["lines"][0]
    assert line["text"] == f"trying {HIDDEN}"
    assert as_root.get(f"/api/jobs/{job.pk}/").json()["args"] == [1, HIDDEN]
    for page in ("", "states/", "console/"):
        answer = as_root.get(f"/api/jobs/{job.pk}/{page}").content.decode()
        assert PASSWORD not in answer
        assert "471147" not in answer


def test_json_is_masked_as_the_page_is(as_root: Client, as_user: AsUser) -> None:
    job = succeeds.using(tags=["a"]).enqueue({"password": PASSWORD, "plain": "text"})
    claim(job)
    finish(job, result={"plain": "result"})
    seen, hidden = told(as_root, job), told(as_user("view_job"), job)
    assert seen["args"] == [{"password": HIDDEN, "plain": "text"}]
    assert seen["result"] == {"plain": "result"}
    assert [entry["state"] for entry in seen["history"]] == ["enqueued", "processing", "succeeded"]
    assert (hidden["state"], hidden["tags"]) == ("succeeded", ["a"])
    assert {hidden[name] for name in ("call", "result", "metadata", "headers")} == {None}
    assert hidden["args"] is hidden["kwargs"] is None
    assert {entry["data"] for entry in hidden["history"]} == {None}
    assert "text" not in json.dumps(hidden)
    assert as_user().get(f"{LIST}{job.pk}/json/").status_code == 403
    assert Client().get(f"{LIST}{job.pk}/json/").headers["Location"].startswith("/admin/login/")


def test_what_arguments_name_is_linked_for_those_who_may_see_it(as_user: AsUser) -> None:
    group = Group.objects.create(name="acme")
    link = f"/admin/auth/group/{group.pk}/change/"
    by_annotation = greets.enqueue(group)
    by_text = succeeds.enqueue({"about": [f"auth.group:{group.pk}"]})
    by_name = succeeds.enqueue({"group_id": group.pk})
    reader = as_user("view_job", "view_payload_job", username="reader")
    sees = as_user("view_job", "view_payload_job", username="sees")
    permission = Permission.objects.get(codename="view_group")
    for user_id in [sees.session["_auth_user_id"]]:
        permission.user_set.add(user_id)
    blind = as_user("view_job", username="blind")
    for user_id in [blind.session["_auth_user_id"]]:
        permission.user_set.add(user_id)
    for job in (by_annotation, by_text, by_name):
        assert f'<a href="{link}">Group {group.pk}</a>' in shown(sees, job)
        assert link not in shown(reader, job)
        assert link not in shown(blind, job), "who may not see the arguments does not learn what they name"


def failed_once_more(job: Job) -> Job:
    """A copy that is to be tried again."""
    other = signs_in.enqueue(*job.args, **job.kwargs)
    reason = f"Retry 1 of 3: ValueError: {PASSWORD}"
    target = Target(states.SCHEDULED, reason, columns={"failures": 1, "scheduled_at": clock.now()})
    machine.move([other.pk], target, expected={states.ENQUEUED})
    return fresh(other)


@pytest.mark.parametrize(
    "value", [{"group": "acme"}, {"grouped_id": 1}, "auth.nothing:1", "auth.group:", {"group_id": None}, "1", 1]
)
def test_what_names_no_row_is_no_link(as_root: Client, value: Any) -> None:
    assert "/admin/auth/group/" not in shown(as_root, succeeds.enqueue(value)).split('id="dj-part-call"')[1]


def test_metadata_are_linked_too(as_root: Client) -> None:
    job = succeeds.enqueue()
    claim(job)
    ctx = JobContext(job.pk, job.job_type, "default", 1, 1, WORKER)
    ctx.metadata["group"] = 4711
    outbox.flush()
    assert '<a href="/admin/auth/group/4711/change/">Group 4711</a>' in shown(as_root, job)


def test_creator_and_worker_are_linked(as_root: Client, admin_user: Any) -> None:
    host = server("web")
    job = succeeds.using(created_by=admin_user).enqueue()
    Job.objects.filter(pk=job.pk).update(worker="web.0")
    text = shown(as_root, fresh(job))
    assert f'<a href="/admin/auth/user/{admin_user.pk}/change/">admin</a>' in text
    assert f'<a href="/admin/django_jobs/server/{host.pk}/change/">web.0</a>' in text
