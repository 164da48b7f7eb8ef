"""The overview in a real browser, under a strict content security policy: numbers and graph follow what happens."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from django_jobs import clock
from django_jobs.models import Counter
from tests.app.jobs import adds
from tests.dashboard.conftest import failed, retrying, server, succeeded
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def shoot(page: Page, name: str, tmp_path: Path) -> None:
    page.screenshot(path=Path(os.environ.get("SHOTS", tmp_path)) / f"{name}.png", full_page=True)


def history() -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    for ago in range(2, 168):
        Counter.objects.create(name="succeeded", hour=hour - timedelta(hours=ago), value=800 + (ago * 37) % 400)
        Counter.objects.create(name="failed", hour=hour - timedelta(hours=ago), value=(ago * 7) % 30)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_the_overview_leads_from_a_problem_to_its_end_and_follows_what_happens(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    scheme: str,
    width: int,
    tmp_path: Path,
    settings: object,
) -> None:
    settings.DJANGO_JOBS = {"RETRY": None, "STATS_INTERVAL": 0.5, "ENVIRONMENT": "Staging:orange"}  # type: ignore[attr-defined]
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    sign_in(page, site)
    history()
    server("one")
    failed("no card")
    failed("no card")
    retrying()
    adds.using(queue="critical").enqueue_many([(1, 1)] * 3)
    page.goto(f"{site}/admin/django_jobs/overview/")
    told = page.locator(".dj-numbers div", has_text="Succeeded").locator("dd")
    before = int(told.inner_text().replace(",", ""))
    for _ in range(3):
        succeeded()
    expect(told).to_have_text(f"{before + 3:,}")
    line = page.locator("polyline[data-kind=succeeded]")
    expect(line).not_to_have_attribute("points", "")
    page.wait_for_function("[...document.querySelectorAll('polyline')].every((one) => one.points.length > 2)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shoot(page, f"overview-{scheme}-{width}", tmp_path)
    problem = page.locator(".dj-findings li", has_text="Failures")
    problem.get_by_role("link", name="Show").click()
    shoot(page, f"failures-{scheme}-{width}", tmp_path)
    page.get_by_role("link", name="ValueError").click()
    expect(page.locator("#dj-failures tbody tr")).to_have_count(2)
    page.get_by_role("button", name="Requeue all").click()
    expect(page.get_by_text("2 of 2 jobs were requeued")).to_be_visible()
    page.locator(".dj-ways").get_by_role("link", name="Retries").click()
    shoot(page, f"retries-{scheme}-{width}", tmp_path)
    page.locator("input.action-select").check()
    page.locator("select[name=action]").select_option("retry_now")
    page.locator(".actions button[type=submit]").click()
    expect(page.get_by_text("1 of 1 job is tried now")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
