"""A walk through the dashboard in a real browser, under a strict content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse
from playwright.sync_api import ConsoleMessage, Page

from django_jobs import states
from tests.dashboard.conftest import failed, fresh, server, succeeded

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'"


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
    page.locator(".object-tools").get_by_role("link", name="Servers").click()
    page.get_by_role("button", name="Quiet: web1").click()
    page.get_by_text("Server web1 was asked to take no new jobs.").wait_for()
    page.get_by_role("button", name="Resume: web1").wait_for()
    page.get_by_role("link", name="web1", exact=True).click()
    page.get_by_role("button", name="Stop: web1").click()
    page.get_by_text("Server web1 was asked to stop.").wait_for()
    assert page.locator(".dj-orders").count() == 0
    host.refresh_from_db()
    assert host.wanted == "stop"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_telephone(page: Page, site: str, complaints: list[str], scheme: str) -> None:
    job = failed("x" * 300, reason="ValueError: " + "x" * 150)
    host = server("a-host-with-a-very-long-name.internal.example.com:4711")
    sign_in(page, site)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    for way in ("job/", f"job/{job.pk}/change/", "server/", f"server/{host.pk}/change/", "server/health/"):
        page.goto(f"{site}/admin/django_jobs/{way}")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
