"""The page of a job in a real browser: the graph by mouse and keyboard, and the call once more with changes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from django_jobs import Batch
from django_jobs.models import Job
from django_jobs.states import machine
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import WORKER, claim, finish
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


def width(page: Page) -> float:
    return float(page.locator("svg.dj-svg").get_attribute("width") or 0)


def test_a_graph_is_walked_zoomed_and_left_by_its_links_and_a_call_is_changed(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
) -> None:
    first = succeeds.enqueue()
    batch = Batch.start("bulk", [adds.bind(n, n) for n in range(30)])
    last = adds.using(after=[first, batch]).enqueue(1, y=2)
    sign_in(page, site)
    page.goto(f"{site}/admin/django_jobs/job/{last.pk}/change/")
    whole = width(page)
    page.get_by_role("button", name="Zoom in").click()
    assert width(page) == pytest.approx(whole * 1.25, abs=1)
    view = page.get_by_role("region", name="Drawing")
    view.focus()
    for _ in range(6):
        page.keyboard.press("-")
    assert width(page) < whole / 2
    page.keyboard.press("0")
    assert width(page) == whole

    # What happens to others is seen too.
    claim(first)
    page.get_by_role("link", name=f"#{first.pk}, tests.succeeds, Processing").wait_for()
    assert page.get_by_role("button", name="Zoom in").is_visible()

    # Another state brings the page anew: the graph is still there to be zoomed.
    page.evaluate("window.notReloaded = true")
    page.keyboard.press("+")
    last.cancel()
    page.locator(".dj-now").get_by_text("Deleted").wait_for()
    assert width(page) == pytest.approx(whole * 1.25, abs=1)
    assert page.get_by_role("button", name="Zoom out").is_visible()
    assert page.evaluate("window.notReloaded")

    page.get_by_role("link", name=f"Batch #{batch.pk}, bulk, Started").click()
    page.wait_for_url(f"**/batch/{batch.pk}/change/")
    page.locator("svg.dj-svg").wait_for()
    box = page.get_by_role("region", name="Drawing")
    before = box.evaluate("view => view.scrollTop")
    corner = box.bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + 300, corner["y"] + 200)
    page.mouse.down()
    page.mouse.move(corner["x"] + 300, corner["y"] + 100, steps=4)
    page.mouse.up()
    assert box.evaluate("view => view.scrollTop") == before + 100
    assert page.url.endswith(f"/batch/{batch.pk}/change/"), "a drag opens nothing"
    member = batch.members.earliest("pk")
    machine.claim([member.pk], [member.job_type], WORKER)
    finish(member)
    page.get_by_role("link", name=f"#{member.pk}, tests.adds, Succeeded").wait_for()
    assert page.get_by_role("button", name="Zoom in").is_visible(), "a part that was renewed is prepared anew"

    page.goto(f"{site}/admin/django_jobs/job/{last.pk}/change/")
    page.get_by_role("link", name="Enqueue again with changes").click()
    page.get_by_label("Keyword arguments").fill('{"z": 3}')
    page.get_by_role("button", name="Enqueue").click()
    page.locator(".field-kwargs .errorlist").get_by_text("cannot be called so").wait_for()
    page.get_by_label("Keyword arguments").fill('{"y": 3}')
    page.get_by_label("Delay").fill("60")
    page.get_by_role("button", name="Enqueue").click()
    made = page.locator(".messagelist a").first
    made.wait_for()
    assert made.get_attribute("href") == f"/admin/django_jobs/job/{Job.objects.latest('pk').pk}/change/"
    assert Job.objects.latest("pk").kwargs == {"y": 3}


def test_without_scripts_the_graph_scrolls_and_links(page: Page, site: str) -> None:  # noqa: F811
    first = succeeds.enqueue()
    second = first.then(succeeds)
    claim(first)
    sign_in(page, site)
    browser = page.context.browser
    assert browser is not None
    with browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state()) as plain:
        tab = plain.new_page()
        tab.goto(f"{site}/admin/django_jobs/job/{first.pk}/change/")
        assert not tab.get_by_role("button", name="Zoom in").is_visible()
        tab.get_by_role("link", name=f"#{second.pk}, tests.succeeds, Awaiting").click()
        tab.wait_for_url(f"**/job/{second.pk}/change/")
