"""The page of a job: call, facts, timeline, outcome, and nothing of it as markup."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.admin import AdminSite
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from django_jobs import client, states
from django_jobs.dashboard.display import span
from django_jobs.dashboard.jobs import JobAdmin
from django_jobs.dashboard.servers import ServerAdmin
from django_jobs.models import Job, Server
from django_jobs.states import machine
from tests.app.jobs import adds
from tests.dashboard.conftest import claim, failed, finish, fresh, in_state, server, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
EVIL = '<script>alert("1")</script>'

custom = AdminSite(name="backoffice")
custom.register(Job, JobAdmin)
custom.register(Server, ServerAdmin)
urlpatterns = [path("office/", custom.urls)]


def shown(browser: Client, job: Job) -> str:
    answer = browser.get(f"{LIST}{job.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("state", states.ALL)
def test_every_state_has_a_page_with_the_buttons_that_the_law_allows(as_root: Client, state: str) -> None:
    job = in_state(state)
    text = shown(as_root, job)
    names = ("requeue", "pause", "resume", "cancel", "delete")
    offered = {name for name in names if f"{LIST}{job.pk}/verb/{name}/" in text}
    assert offered == {name for name in names if name in states.offered(state, "")}
    assert (f"{LIST}{job.pk}/verb/force/" in text) is (state == states.PROCESSING)


def test_a_result_is_shown_as_json(as_root: Client) -> None:
    text = shown(as_root, succeeded(result={"name": "ä", "total": 7}))
    assert "{\n  &quot;name&quot;: &quot;ä&quot;,\n  &quot;total&quot;: 7\n}" in text


def test_a_result_that_is_text_only_is_marked(as_root: Client) -> None:
    job = in_state(states.PROCESSING)
    finish(job, result="<object at 0x7f>", data={"result_as_text": True})
    text = shown(as_root, job)
    assert "JSON cannot hold" in text
    assert "&lt;object at 0x7f&gt;" in text


def test_a_very_long_result_is_cut_and_says_so(as_root: Client) -> None:
    text = shown(as_root, succeeded(result="x" * 150_000))
    assert "the whole has 150002 characters" in text
    assert len(text) < 130_000


def test_each_attempt_keeps_its_traceback(as_root: Client) -> None:
    job = failed(traceback="Traceback one")
    client.requeue([job.pk])
    claim(job)
    finish(job, state=states.FAILED, data={"exception": "OSError", "message": "two", "traceback": "Traceback two"})
    text = shown(as_root, job)
    assert text.index("Traceback two") < text.index("Traceback one"), "the last error is on top"
    assert text.count("Traceback one") == text.count("Traceback two") == 1


def test_the_timeline_tells_states_reasons_and_durations(as_root: Client) -> None:
    job = failed()
    client.requeue([job.pk])
    text = shown(as_root, job)
    timeline = text[text.index('class="dj-timeline"') :]
    order = [timeline.index(f'dj-state-{state}"') for state in ("enqueued", "failed", "processing")]
    assert order == sorted(order), "newest first"
    assert "Requeued" in timeline
    assert "Ran for: 250 ms" in timeline
    assert timeline.count("dj-pause") == 3, "the creation has nothing before it"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 ms"), (0.0123, "12.3 ms"), (1.5, "1.5 s"), (61, "1 min 1 s"), (3660, "1 h 1 min"), (90000, "1 d 1 h")],
)
def test_durations_are_told_in_their_largest_units(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize("part", ["arguments", "reason", "traceback", "result"])
def test_nothing_that_a_job_says_becomes_markup(as_root: Client, part: str) -> None:
    match part:
        case "arguments":
            job = succeeded(EVIL)
        case "result":
            job = succeeded(result={EVIL: EVIL})
        case "traceback":
            job = failed(EVIL, traceback=EVIL)
        case _:
            job = failed(reason=EVIL)
    page, listed = shown(as_root, job), as_root.get(LIST).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page + listed


def test_a_page_takes_few_queries_however_long_the_history(as_root: Client) -> None:
    job = failed()
    few = _queries(as_root, job)
    for _ in range(20):
        client.requeue([job.pk])
        client.cancel([job.pk])
    assert len(few) == len(_queries(as_root, job)) <= 20


def _queries(browser: Client, job: Job) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        shown(browser, job)
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("number", ["987654", "abc", "9" * 30])
def test_a_job_that_is_not_stored_leads_back_to_the_list(as_root: Client, number: str) -> None:
    answer = as_root.get(f"{LIST}{number}/change/", follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert "is not stored" in answer.content.decode()


def test_pages_carry_no_inline_script_style_or_handler(as_root: Client) -> None:
    server("one")
    job = failed()
    servers = "/admin/django_jobs/server/"
    host = f"{servers}{server('two').pk}/change/"
    for way in (LIST, f"{LIST}?state=failed", f"{LIST}{job.pk}/change/", servers, host, f"{servers}health/"):
        text = as_root.get(way).content.decode()
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert all("src=" in tag for tag in text.split("<script")[1:])
        assert "django_jobs/dashboard.css" in text


@pytest.mark.parametrize(
    ("deaths", "told"),
    [(1, "1 worker died under this job"), (2, "2 workers died under this job"), (3, "3 workers died under this job")],
)
def test_deaths_under_a_job_are_told_with_their_reasons(as_root: Client, deaths: int, told: str) -> None:
    job = adds.enqueue(1, 1)
    assert "died under this job" not in shown(as_root, job)
    for number in range(deaths):
        machine.claim([job.pk], [adds.name], f"web1/{number}")
        machine.bury(job.pk, f"web1/{number}", f"Worker web1/{number} died: signal SIGKILL")
    page = shown(as_root, job)
    assert told in page
    assert all(f"Worker web1/{number} died: signal SIGKILL" in page for number in range(deaths))


@override_settings(ROOT_URLCONF="tests.dashboard.test_job_page")
def test_a_sites_own_admin_keeps_its_addresses(as_root: Client) -> None:
    host = server("one")
    job = failed()
    way = f"/office/django_jobs/job/{job.pk}/change/"
    servers = "/office/django_jobs/server/"
    for page in ("/office/django_jobs/job/", way, servers, f"{servers}{host.pk}/change/", f"{servers}health/"):
        text = as_root.get(page).content.decode()
        assert '"/admin/' not in text
    assert f"/office/django_jobs/job/{job.pk}/verb/requeue/" in as_root.get(way).content.decode()
    assert as_root.post(f"/office/django_jobs/job/{job.pk}/verb/requeue/").headers["Location"] == way
    assert as_root.post(f"{servers}{host.pk}/order/stop/", {"back": "list"}).headers["Location"] == servers
    assert fresh(job).state == states.ENQUEUED
