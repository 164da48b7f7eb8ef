"""The queues' page in a real browser, under a strict content security policy, in light and dark."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from django_jobs import steering
from django_jobs.models import Queue
from tests.app.jobs import adds
from tests.dashboard.conftest import server
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_queues_are_paused_limited_and_purged(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    scheme: str,
    tmp_path: Path,
) -> None:
    sign_in(page, site)
    server("one")
    adds.using(queue="critical").enqueue_many([(1, 1)] * 3)
    steering.pause_queue("low-priority", until=timedelta(hours=1))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(f"{site}/admin/django_jobs/queue/")
    page.get_by_label("At once: critical").fill("3")
    page.get_by_label("Rate: critical").fill("10/m")
    page.get_by_role("button", name="Set limits: critical").click()
    expect(page.get_by_text("3 at once, 10/m").first).to_be_visible()
    page.get_by_label("Minutes: critical").fill("30")
    page.get_by_role("button", name="Pause: critical").click()
    expect(page.get_by_text("Queue critical is paused for 30 min")).to_be_visible()
    page.screenshot(path=Path(os.environ.get("SHOTS", tmp_path)) / f"queues-{scheme}.png", full_page=True)
    page.get_by_role("button", name="Purge: critical").click()
    page.get_by_role("button", name="Yes, delete them").click()
    expect(page.get_by_text("3 jobs were deleted")).to_be_visible()
    assert Queue.objects.get(name="critical").max_concurrency == 3
    assert complaints == []
