"""The list of jobs by hand: a search, the menu of a row, and an action on all that match."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page

from django_jobs import states
from django_jobs.models import Job
from tests.dashboard.conftest import failed, fresh, in_state, succeeded
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def picture(page: Page, name: str) -> None:
    """Kept where SCREENSHOTS names a folder."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_a_person_finds_acts_on_one_and_on_all(page: Page, site: str, complaints: list[str]) -> None:  # noqa: F811
    jobs = [failed(f"card {number}") for number in range(3)]
    in_state(states.SCHEDULED)
    succeeded()
    sign_in(page, site)
    page.get_by_text("How to search").click()
    page.get_by_text("args.invoice_id:7", exact=True).wait_for()
    picture(page, "language")
    page.fill("#searchbar", "colour:red")
    page.press("#searchbar", "Enter")
    page.get_by_text("there is no field colour").wait_for()
    picture(page, "problem")
    page.fill("#searchbar", "error:card")
    page.press("#searchbar", "Enter")
    page.wait_for_url("**q=error%3Acard**")
    assert page.locator("#result_list tbody tr").count() == 3
    page.get_by_label(f"Actions of job #{jobs[0].pk}").click()
    picture(page, "menu")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 740})
    picture(page, "menu-narrow-dark")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.locator(".dj-menu[open]").get_by_role("button", name="Requeue").click()
    page.get_by_text(f"Job #{jobs[0].pk} was requeued.").wait_for()
    assert "q=error%3Acard" in page.url
    page.locator("select[name=action]").select_option("delete_jobs_selected")
    page.locator("select[name=scope]").select_option("all")
    page.locator("button[name=index]").click()
    page.get_by_text("2 jobs match").wait_for()
    picture(page, "many")
    page.get_by_role("button", name="Yes: Delete").click()
    page.get_by_text("This job does it").wait_for()
    picture(page, "many-job")
    assert Job.objects.filter(job_type="django_jobs.act_on_many").count() == 1
    assert fresh(jobs[0]).state == states.ENQUEUED
