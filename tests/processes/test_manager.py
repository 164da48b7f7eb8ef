"""The job manager of the example in a real browser, on the demo's own web server and workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Route, expect

from tests.demos import Demo
from tests.servers import eventually

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.once]

WAIT = 60_000
"""Milliseconds that a busy machine may take."""


@pytest.fixture
def complaints(page: Page) -> Iterator[list[str]]:
    """What the browser complains of: errors, refused resources, breaches of the page's policy."""
    heard: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and "favicon.ico" not in str(message.location):
            heard.append(message.text)

    page.on("console", hear)
    yield heard
    assert heard == []


@pytest.fixture
def catalogue(tmp_path: Path) -> str:
    """A file that takes minutes to import."""
    path = tmp_path / "catalogue.csv"
    path.write_text("number,name,price\n" + "".join(f"{n},lamp,1.00\n" for n in range(1, 20_001)))
    return str(path)


def sign_in(page: Page, demo: Demo, name: str = "demo") -> None:
    page.goto(f"{demo.address}manager/")
    page.wait_for_url("**/admin/login/?next=/manager/")
    page.fill("#id_username", name)
    page.fill("#id_password", name)
    page.press("#id_password", "Enter")
    page.wait_for_url("**/manager/")


def queue_import(page: Page, path: str) -> None:
    page.select_option("#job_type", "shop.import_catalogue")
    page.fill("#args", json.dumps([path]))
    page.get_by_role("button", name="Queue", exact=True).click()
    expect(page.locator("dialog")).to_be_hidden(timeout=WAIT)


def only_row(page: Page) -> Locator:
    """The one job of this user, once the list is of his jobs: before, the one row may be somebody else's."""
    page.get_by_label("My jobs").check()
    expect(page.locator("#jobs tr .user")).to_have_text(["demo"], timeout=WAIT)
    return page.locator("#jobs tr")


def reached(row: Locator) -> float:
    return float(row.locator("progress").evaluate("bar => bar.value"))


def is_state(row: Locator, state: str) -> None:
    expect(row.locator(".state")).to_have_text(state, timeout=WAIT)


def goes_on(row: Locator, after: float) -> None:
    is_state(row, "processing")
    eventually(lambda: reached(row) > after, WAIT / 1000, "progress on the page")


def test_an_import_is_queued_watched_and_steered_by_mouse_and_keys(
    page: Page, demo: Demo, complaints: list[str], catalogue: str
) -> None:
    sign_in(page, demo)
    expect(page.locator("#standing")).to_have_text("live", timeout=WAIT)
    page.evaluate("window.notReloaded = true")
    page.locator("#jobs tr").first.wait_for()

    page.keyboard.press("n")
    page.select_option("#job_type", "shop.import_catalogue")
    expect(page.locator("#told")).to_contain_text("path: str, seconds: float = 0.03")
    page.fill("#args", "[1")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Queue", exact=True).click()
    expect(page.locator("#args-error")).to_contain_text("This is no JSON")
    page.fill("#args", "[]")
    page.get_by_role("button", name="Queue", exact=True).click()
    expect(page.locator("#args-error")).to_contain_text("path", timeout=WAIT)
    expect(page.locator("#args")).to_be_focused()
    assert [text for text in complaints if "400" not in text] == []
    complaints.clear()
    queue_import(page, catalogue)

    row = only_row(page)
    is_state(row, "processing")
    row.locator("progress").wait_for(timeout=WAIT)
    goes_on(row, reached(row))
    row.click()
    page.get_by_role("button", name="Pause").click()
    is_state(row, "paused")
    expect(page.get_by_role("button", name="Pause")).to_be_disabled()
    held = reached(row)
    page.get_by_role("button", name="Resume").click()
    goes_on(row, held)

    page.keyboard.press("Tab")
    row.focus()
    page.keyboard.press("Escape")
    expect(row).to_have_attribute("aria-selected", "false")
    page.keyboard.press("c")
    expect(page.locator("#message")).to_contain_text("Select a job first")
    page.keyboard.press("Space")
    page.keyboard.press("p")
    is_state(row, "paused")
    held = reached(row)
    page.keyboard.press("r")
    goes_on(row, held)
    expect(row).to_be_focused()
    page.keyboard.press("c")
    is_state(row, "deleted")
    number = row.get_attribute("data-id") or ""
    page.get_by_label("Id", exact=True).fill(number + "x")
    expect(page.locator("#message")).to_have_text("An id is a whole number.", timeout=WAIT)
    expect(page.locator("#none")).to_be_visible(timeout=WAIT)
    page.get_by_label("My jobs").uncheck()
    page.get_by_label("Id", exact=True).fill(number)
    expect(page.locator("#jobs tr")).to_have_count(1, timeout=WAIT)
    expect(page.locator(f'#jobs tr[data-id="{number}"]')).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("button", name="Resume")).to_be_disabled()
    page.get_by_label("Id", exact=True).fill("")
    page.get_by_label("My jobs").check()
    expect(page.locator("#jobs tr")).to_have_count(1, timeout=WAIT)
    page.select_option("#filters select[name=state]", "processing")
    expect(page.locator("#none")).to_be_visible(timeout=WAIT)
    assert page.evaluate("window.notReloaded")


def test_without_a_stream_the_page_asks_and_who_may_look_only_is_offered_nothing_else(
    page: Page, demo: Demo, complaints: list[str], catalogue: str
) -> None:
    def refuse(route: Route) -> None:
        if "event-stream" in route.request.headers["accept"]:
            route.fulfill(status=503, content_type="application/problem+json", body="{}")
        else:
            route.continue_()

    page.route("**/api/events/?after=*", refuse)
    sign_in(page, demo)
    expect(page.locator("#standing")).to_have_text("polling", timeout=WAIT)
    page.get_by_role("button", name="Queue new").click()
    queue_import(page, catalogue)
    row = only_row(page)
    row.get_by_role("checkbox").click()
    is_state(row, "processing")
    page.keyboard.press("c")
    is_state(row, "deleted")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") == 360

    page.get_by_role("button", name="Log out").click()
    sign_in(page, demo, "viewer")
    page.locator("#jobs tr").first.wait_for()
    assert page.locator("button.verb, #new, dialog").count() == 0
    assert [text for text in complaints if "503" not in text] == []
    complaints.clear()
