"""A walk through the dashboard in a real browser, under a strict content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from playwright.sync_api import ConsoleMessage, Page, expect

from django_jobs import JobContext, states
from django_jobs.console import outbox
from django_jobs.models import RecurringJob
from tests.app.jobs import succeeds
from tests.dashboard.conftest import WORKER, claim, failed, finish, fresh, server, succeeded

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'"
)


class StrictPolicy:
    """What a careful site sends with every page: nothing inline runs or styles."""

    def __init__(self, get_response: object) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = self.get_response(request)  # type: ignore[operator]
        response.headers["Content-Security-Policy"] = POLICY
        return response


@pytest.fixture
def site(live_server: Any) -> str:
    return str(live_server.url)


@pytest.fixture(autouse=True)
def strict(settings: Any) -> None:
    settings.MIDDLEWARE = ["tests.dashboard.test_browser.StrictPolicy", *settings.MIDDLEWARE]


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains of: errors and refused resources."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "favicon.ico" not in str(message.location):
            heard.append(message.text)

    page.on("console", hear)
    yield heard
    assert heard == []


def sign_in(page: Page, site: str) -> None:
    get_user_model().objects.create_superuser("root", password="open sesame")
    page.goto(f"{site}/admin/login/?next=/admin/django_jobs/job/")
    page.fill("#id_username", "root")
    page.fill("#id_password", "open sesame")
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/django_jobs/job/")


def test_a_failed_job_is_found_and_requeued(page: Page, site: str, complaints: list[str]) -> None:
    job = failed("no card")
    succeeded()
    sign_in(page, site)
    page.locator(".dj-tabs").get_by_role("link", name="Failed 1").click()
    page.locator("#result_list").get_by_role("link", name="tests.fails").click()
    assert "ValueError: no <b>card</b>" in page.locator(".dj-traceback pre").inner_text()
    page.get_by_role("button", name="Requeue").click()
    page.get_by_text(f"Job #{job.pk} was requeued.").wait_for()
    assert page.get_by_role("button", name="Requeue").count() == 0
    assert fresh(job).state == states.ENQUEUED


def test_a_filter_and_a_bulk_action_work_by_hand(page: Page, site: str, complaints: list[str]) -> None:
    job = failed()
    sign_in(page, site)
    page.get_by_text("Queue: All").click()
    page.locator(".dj-filter[open]").get_by_role("link", name="default").click()
    page.wait_for_url("**queue=default**")
    page.locator("#result_list tbody input[type=checkbox]").first.check()
    page.locator("select[name=action]").select_option("requeue_selected")
    page.locator("button[name=index]").click()
    page.get_by_text("1 of 1 job was requeued.").wait_for()
    assert fresh(job).state == states.ENQUEUED


def test_a_server_is_quieted_from_the_list_and_stopped_from_its_page(
    page: Page, site: str, complaints: list[str]
) -> None:
    host = server("web1")
    sign_in(page, site)
    page.locator(".dj-ways").get_by_role("link", name="Servers").click()
    page.get_by_role("button", name="Quiet: web1").click()
    page.get_by_text("Server web1 was asked to take no new jobs.").wait_for()
    page.get_by_role("button", name="Resume: web1").wait_for()
    page.get_by_role("link", name="web1", exact=True).click()
    page.get_by_role("button", name="Stop: web1").click()
    page.get_by_text("Server web1 was asked to stop.").wait_for()
    assert page.locator(".dj-orders").count() == 0
    host.refresh_from_db()
    assert host.wanted == "stop"


def test_a_page_follows_its_job_without_a_reload(page: Page, site: str, complaints: list[str]) -> None:
    job = succeeds.enqueue()
    sign_in(page, site)
    page.goto(f"{site}/admin/django_jobs/job/{job.pk}/change/")
    assert not page.locator("#dj-console").is_visible()
    page.evaluate("window.notReloaded = true")
    claim(job)
    ctx = JobContext(job.pk, job.job_type, "default", 1, 1, WORKER)
    ctx.log('<img src=x onerror="alert(1)">', "warning")
    bar = ctx.progress_bar("rows", total=200)
    bar.set(50)
    outbox.flush()
    line = page.locator(".dj-console .dj-said-warning")
    line.get_by_text('<img src=x onerror="alert(1)">').wait_for()
    page.get_by_text("50 of 200 · 25 %").wait_for()
    ctx.log("second", color="green")
    ctx.metadata["customer"] = "acme"
    bar.set(100)
    outbox.flush()
    page.locator(".dj-console .dj-color-green").get_by_text("second").wait_for()
    page.get_by_text("100 of 200 · 50 %").wait_for()
    page.locator("#dj-metadata").get_by_text('"customer": "acme"').wait_for()
    assert page.locator(".dj-bar progress").evaluate("bar => bar.position") == 0.5
    ctx.log("last words")
    outbox.flush()
    finish(job, result=7)
    page.locator(".dj-now").get_by_text("Succeeded").wait_for()
    expect(page.locator(".dj-console .dj-line")).to_have_count(3)
    assert page.evaluate("window.notReloaded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_telephone(page: Page, site: str, complaints: list[str], scheme: str) -> None:
    job = failed("x" * 300, reason="ValueError: " + "x" * 150)
    ctx = JobContext(job.pk, job.job_type, "default", 1, job.run, WORKER)
    ctx.log("x" * 300)
    ctx.progress_bar("x" * 100, total=12_345_678).set(1_234_567)
    ctx.metadata["x" * 100] = "x" * 300
    outbox.flush()
    host = server("a-host-with-a-very-long-name.internal.example.com:4711")
    row = RecurringJob.objects.add_or_update(
        "a-recurring-job-with-a-very-long-id." * 5,
        "tests.succeeds",
        cron="0-59/7 8-18 1-15,L * MON-FRI",
        args=["x" * 90],
    )
    row.trigger()
    sign_in(page, site)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    for way in (
        "job/",
        f"job/{job.pk}/change/",
        "server/",
        f"server/{host.pk}/change/",
        "server/health/",
        "recurringjob/",
        f"recurringjob/{quote(row.pk)}/change/",
    ):
        page.goto(f"{site}/admin/django_jobs/{way}")
        assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_recurring_job_is_made_with_its_next_runs_in_view(page: Page, site: str, complaints: list[str]) -> None:
    sign_in(page, site)
    page.locator(".dj-ways").get_by_role("link", name="Recurring jobs").click()
    page.locator(".dj-ways .dj-add a").click()
    page.fill("#id_id", "salaries")
    page.fill("#id_cron", "0 25 L * *")
    page.locator(".dj-preview-error").get_by_text("hour").wait_for()
    assert page.locator("#id_cron").get_attribute("aria-invalid") is not None
    page.fill("#id_cron", "0 23 L * *")
    page.fill("#id_time_zone", "Asia/Kolkata")
    page.locator(".dj-preview-runs li").get_by_text("23:00:00 IST").first.wait_for()
    assert page.locator(".dj-preview-runs li").count() == 5
    assert not page.locator(".dj-preview-error").is_visible()
    page.select_option("#id_job_type", "tests.succeeds")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("button", name="Trigger now").click()
    page.get_by_text("1 of 1 recurring job was triggered.").wait_for()
    page.locator(".dj-children").get_by_text("by hand").wait_for()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Enable").wait_for()
    row = RecurringJob.objects.get()
    assert (row.enabled, row.cron, row.jobs.count()) == (False, "0 23 L * *", 1)
