"""What is expected, in a real browser: a batch's page asks for it; the collisions are of one moment."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from django_jobs import Batch
from django_jobs.models import Server
from django_jobs.testing import drain
from tests.app.jobs import adds
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401
from tests.dashboard.test_expected import have_run

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def test_the_page_of_a_batch_tells_its_end_once_it_knows(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    live_server_row: Server,
) -> None:
    have_run(30, 7)
    batch = Batch.start("sums", [adds.bind(1, 1), adds.bind(2, 2)])
    sign_in(page, site)
    address = f"{site}/admin/django_jobs/batch/{batch.pk}/change/"
    with page.expect_response("**/expected/"):
        page.goto(address)
    told = page.locator("[data-expected]")
    expect(told).to_be_hidden()
    drain()
    have_run(30, 20)
    batch = Batch.start("sums", [adds.bind(1, 1), adds.bind(2, 2)])
    page.goto(f"{site}/admin/django_jobs/batch/{batch.pk}/change/")
    expect(told).to_have_text("Ends, as expected: in 1 min 0 s (1 min 0 s to 1 min 0 s)")


def test_a_page_that_follows_nothing_has_no_switch_for_that(page: Page, site: str, complaints: list[str]) -> None:  # noqa: F811
    sign_in(page, site)
    expect(page.locator("#dj-live")).to_be_visible()
    page.goto(f"{site}/admin/django_jobs/recurringjob/collisions/")
    page.get_by_text("None is known of").wait_for()
    expect(page.locator("#dj-live")).to_be_hidden()
