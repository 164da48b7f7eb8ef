"""The overview: problems first, then the numbers of this moment, graphs, queues and servers."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.core.checks import Error
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import translation

from django_jobs import client, clock, doctor, monitoring, states, steering
from django_jobs.checks import check_settings
from django_jobs.dashboard.display import LABELS
from django_jobs.dashboard.jobs import JobAdmin
from django_jobs.dashboard.overview import OverviewAdmin
from django_jobs.models import Counter, Job, JobState, Overview, RecurringJob, Server
from django_jobs.server.leader import Leadership
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import AsUser, claim, failed, finish, in_state, server, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "/admin/django_jobs/overview/"
KIND = "application/vnd.django-jobs.parts+json"


def shown(browser: Client) -> str:
    answer = browser.get(OVERVIEW)
    assert answer.status_code == 200
    return answer.content.decode()


def told(browser: Client, part: str = "numbers") -> dict[str, list[str]]:
    """The texts of each row of a part."""
    rows = getattr(browser.get(OVERVIEW).context["now"], part)
    return {str(row.label): [cell.text for cell in row.cells] for row in rows}


def problems(browser: Client) -> dict[str, tuple[doctor.Finding, str]]:
    return {row.finding.subject: (row.finding, url) for row, url in browser.get(OVERVIEW).context["problems"]}


def healthy() -> Server:
    """A server with a leader, that takes every queue and the types of the tests."""
    Leadership("s.scheduler").hold()
    host = server("s")
    Server.objects.filter(pk=host.pk).update(
        queues=["critical", "default", "low-priority"], types=["tests.adds", "tests.succeeds", "tests.fails"]
    )
    return host


def test_problems_come_first_each_with_a_link_and_what_to_do(as_root: Client) -> None:
    adds.using(queue="critical").enqueue(1, 1)
    page = shown(as_root)
    assert page.index("none runs, so no job does") < page.index('class="dj-numbers"')
    found = problems(as_root)
    assert set(found) == {"Servers", "Scheduler", "Queue critical"}
    assert all(finding.remedy and finding.level == "error" for finding, _url in found.values())
    assert {url for _finding, url in found.values()} == {"/admin/django_jobs/server/"}
    assert page.count(">Show</a>") == 3


def test_a_healthy_site_is_told_so(as_root: Client) -> None:
    healthy()
    succeeded()
    page = shown(as_root)
    assert "All is well" in page
    assert problems(as_root) == {}


def test_each_kind_of_trouble_leads_to_its_page(as_root: Client) -> None:
    host = healthy()
    server("gone", alive=False)
    failed()
    steering.pause_queue("critical")
    adds.enqueue(1, 1)
    Job.objects.filter(state="enqueued").update(state_at=clock.now() - timedelta(hours=1))
    RecurringJob.objects.add_or_update("broken", "tests.succeeds", cron="@daily")
    RecurringJob.objects.update(error="cron is gone")
    found = problems(as_root)
    assert {subject: url.removeprefix("/admin/django_jobs/") for subject, (_, url) in found.items()} == {
        "Server gone": "server/",
        "Queue critical": "queue/",
        "Queue default": "job/?state=enqueued&queue=default",
        "Failures": "failure/",
        "Recurring jobs": "recurringjob/?status=broken",
    }
    for _finding, url in found.values():
        assert as_root.get(url).status_code == 200
    Server.objects.filter(pk=host.pk).update(types=["tests.fails"])
    assert problems(as_root)["Job type tests.adds"][0].level == "error"


def test_lost_bells_are_told(as_root: Client, redis_client: object) -> None:
    healthy()
    adds.enqueue(1, 1)
    Job.objects.update(state_at=clock.now() - timedelta(minutes=1))
    assert "Queue default" not in problems(as_root)
    redis_client.flushdb()  # type: ignore[attr-defined]
    assert "lost their bells" in problems(as_root)["Queue default"][0].found


def test_the_numbers_are_those_of_this_moment(as_root: Client) -> None:
    for state in states.ALL:
        in_state(state)
    healthy()
    RecurringJob.objects.add_or_update("one", "tests.succeeds", cron="@daily")
    numbers = told(as_root)
    assert {name: numbers[str(LABELS[name])] for name in states.ALL} == {name: ["1"] for name in states.ALL}
    assert numbers["Recurring jobs"] == ["1"]
    assert numbers["Servers"] == ["1"]
    assert numbers["Workers"] == ["1 of 2 busy"]
    link = r'href="/admin/django_jobs/job/\?state=failed">Failed</a></dt>\s*<dd data-kind="error">1</dd>'
    assert re.search(link, shown(as_root))


def test_a_queue_tells_its_pace_and_when_it_is_worked_off(as_root: Client) -> None:
    healthy()
    done = [succeeds.enqueue(number) for number in range(10)]
    claim(*done)
    finish(*done)
    succeeds.enqueue_many([(number,) for number in range(20)])
    with monitoring.snapshot():
        rate = monitoring.pace()["default"]
    assert 0 < rate <= 10
    status, waiting, oldest, pace, drained = told(as_root, "queues")["default"]
    assert (status, waiting) == ("Open", "20")
    assert float(pace) > 0
    assert drained not in {"unknown", "–"}
    assert oldest
    assert monitoring.drain_time(monitoring.Count(20), 4.0) == timedelta(seconds=5)
    assert monitoring.drain_time(monitoring.Count(20), 0.0) is None


def test_an_old_history_tells_no_pace() -> None:
    succeeded()
    JobState.objects.update(created_at=clock.now() - timedelta(minutes=11))
    assert monitoring.pace() == {}


def test_ended_jobs_only_grow_so_that_a_rate_can_be_told(as_root: Client) -> None:
    before = as_root.get(OVERVIEW).context["now"].ended
    job = succeeded()
    client.requeue([job.pk])
    after = as_root.get(OVERVIEW).context["now"].ended
    assert {name: after[name] - before[name] for name in after} == {"succeeded": 1, "failed": 0, "deleted": 0}
    assert f'data-succeeded="{after["succeeded"]}"' in shown(as_root)


def test_what_has_changed_is_sent_and_nothing_else(as_root: Client) -> None:
    follow = {"Accept": KIND}
    first = as_root.get(OVERVIEW, headers=follow)
    names = {"problems", "numbers", "ended", "history", "queues", "servers"}
    assert set(first.json()["parts"]) == {f"dj-{name}" for name in names}
    again = as_root.get(OVERVIEW, headers={**follow, "If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    succeeded()
    changed = as_root.get(OVERVIEW, headers={**follow, "If-None-Match": first["ETag"]}).json()["parts"]
    assert {"dj-numbers", "dj-ended", "dj-history"} <= set(changed)
    assert "dj-servers" not in changed


def test_graphs_have_every_hour_and_the_numbers_as_a_table(as_root: Client) -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    for ago, name, value in [(0, "succeeded", 1200), (0, "failed", 1), (30, "deleted", 7), (200, "failed", 99)]:
        Counter.objects.create(name=name, hour=hour - timedelta(hours=ago), value=value)
    day, week = as_root.get(OVERVIEW).context["charts"]
    assert (len(day.bars), len(week.bars)) == (24, 42)
    assert day.totals == "1,200 succeeded, 1 failed, 0 deleted"
    assert week.totals == "1,200 succeeded, 1 failed, 7 deleted"
    assert [part.kind for part in day.bars[-1].parts] == ["succeeded", "failed"]
    assert float(day.bars[-1].parts[-1].height) >= 1.5
    assert float(day.bars[-1].parts[-1].y) >= 0
    page = shown(as_root)
    assert "<td>1200</td><td>1</td><td>0</td>" in page
    assert 'aria-label="Last 24 hours: 1,200 succeeded, 1 failed, 0 deleted"' in page


def test_a_language_with_decimal_commas_draws_the_same(as_root: Client) -> None:
    Counter.objects.create(name="succeeded", hour=clock.now().replace(minute=0, second=0, microsecond=0), value=3)
    with override_settings(LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True), translation.override("de"):
        page = shown(as_root)
    assert re.findall(r'<rect class="dj-succeeded" x="([^"]+)"', page) == ["231.0", "411.0"]
    assert 'data-interval="2000"' in page


@pytest.mark.parametrize("troubled", [False, True])
def test_it_costs_few_queries(as_user: AsUser, troubled: bool) -> None:
    browser = as_user("view_job", "view_payload_job", "view_server", "view_queue", "view_recurringjob")
    for state in states.ALL:
        in_state(state)
    if troubled:
        server("gone", alive=False)
        Job.objects.update(state_at=clock.now() - timedelta(hours=1))
        Job.objects.filter(state="scheduled").update(scheduled_at=clock.now() - timedelta(hours=1))
    else:
        healthy()
    for headers in ({}, {"Accept": KIND}):
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(OVERVIEW, headers=headers).status_code == 200
        assert len(captured) <= 20, "\n".join(query["sql"] for query in captured)


def test_who_sees_jobs_sees_it_and_nobody_else(client: Client, as_user: AsUser) -> None:
    assert client.get(OVERVIEW).headers["Location"].startswith("/admin/login/")
    assert as_user("view_server").get(OVERVIEW).status_code == 403
    viewer = as_user("view_job")
    assert viewer.get(OVERVIEW).status_code == 200
    assert viewer.post(OVERVIEW).status_code == 403


def test_parts_need_the_permission_of_their_own_page(as_user: AsUser) -> None:
    healthy()
    viewer = as_user("view_job")
    now = viewer.get(OVERVIEW).context["now"]
    assert (now.queues, now.servers) == ([], [])
    assert "Failed" in told(viewer)
    assert 'href="/admin/django_jobs/server/"' not in shown(viewer)
    assert set(told(as_user("view_job", "view_queue"), "queues")) == {"critical", "default", "low-priority"}


def test_what_failures_say_is_masked(as_user: AsUser) -> None:
    failed(reason="ValueError: s3cret")
    assert "s3cret" in shown(as_user("view_job", "view_payload_job"))
    page = shown(as_user("view_job"))
    assert "1 of 1 runs failed" in page
    assert "s3cret" not in page


def test_the_admin_lists_it_and_every_page_leads_to_it(as_root: Client) -> None:
    for address in ("/admin/", "/admin/django_jobs/"):
        assert f'href="{OVERVIEW}"' in as_root.get(address).content.decode()
    pages = ["job", "waitingretry", "failure", "batch", "recurringjob", "queue", "server", "server/health"]
    for page in pages:
        bar = as_root.get(f"/admin/django_jobs/{page}/").content.decode()
        bar = bar[bar.index('class="dj-ways"') :]
        assert f'href="{OVERVIEW}"' in bar[: bar.index("</nav>")], page


def test_the_title_and_the_environment_are_settings(as_root: Client) -> None:
    with override_settings(DJANGO_JOBS={"DASHBOARD_TITLE": "Shop jobs", "ENVIRONMENT": "Production:red"}):
        page = shown(as_root)
        assert "<h1>Shop jobs</h1>" in page
        for address in (OVERVIEW, "/admin/django_jobs/job/"):
            label = '<span class="dj-environment dj-red">Production</span>'
            assert label in as_root.get(address).content.decode()
    assert "<h1>Background jobs</h1>" in shown(as_root)


@pytest.mark.parametrize("value", ["Production:pink", 5, ":red"])
def test_an_environment_that_is_none_is_refused_at_start(value: object) -> None:
    with override_settings(DJANGO_JOBS={"ENVIRONMENT": value}):
        found = [message for message in check_settings(None) if isinstance(message, Error)]
    assert ["ENVIRONMENT" in message.msg and "Production:red" in str(message.hint) for message in found] == [True]


other = admin.AdminSite(name="other")
other.register(Overview, OverviewAdmin)
other.register(Job, JobAdmin)
urlpatterns = [path("admin/", admin.site.urls), path("other/", other.urls)]


@override_settings(ROOT_URLCONF="tests.dashboard.test_overview")
def test_another_admin_site_has_its_own_links_and_only_what_it_registered(as_root: Client) -> None:
    page = as_root.get("/other/django_jobs/overview/").content.decode()
    assert 'href="/other/django_jobs/job/?state=failed"' in page
    assert 'href="/other/django_jobs/queue/"' not in page
    assert 'href="/admin/django_jobs/job/' not in page
