"""Pages that follow, in a real browser under a strict content security policy; and their keys."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from django_jobs import client
from tests.app.jobs import succeeds
from tests.dashboard.conftest import claim, failed, server, succeeded
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]


HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
}"""


def ticked(page: Page) -> list[str]:
    found: list[str] = page.locator("input.action-select:checked").evaluate_all("all => all.map(one => one.value)")
    return found


@pytest.mark.parametrize("way", ["poll", "stream"])
def test_a_list_follows_and_leaves_alone_what_its_reader_does(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    settings: Any,
    way: str,
) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "LIVE_UPDATES": way, "STATS_INTERVAL": 30}
    first, second = succeeds.enqueue("first"), succeeds.enqueue("second")
    sign_in(page, site)
    page.evaluate("window.notReloaded = true")
    row = page.locator("#result_list tbody tr", has_text="first")
    row.locator("input").check()
    row.get_by_role("link", name="tests.succeeds").focus()
    third = succeeds.enqueue("third")
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    claim(first)
    expect(row.locator(".dj-badge")).to_have_text("Processing")
    expect(page.locator(".dj-tabs").get_by_role("link", name="Processing 1")).to_be_visible()
    assert ticked(page) == [str(first.pk)]
    assert page.evaluate("document.activeElement.closest('tr').querySelector('input').value") == str(first.pk)
    expect(page.locator(".action-counter")).to_have_text("1 of 3 selected")
    page.locator("#action-toggle").check()
    assert ticked(page) == [str(job.pk) for job in (third, second, first)]
    assert page.evaluate("window.notReloaded")


def test_a_ticked_row_stays_when_its_job_has_moved_on(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
) -> None:
    kept, gone = succeeds.enqueue("kept"), succeeds.enqueue("gone")
    sign_in(page, site)
    page.locator(".dj-tabs").get_by_role("link", name="Enqueued").click()
    page.locator("#result_list tbody tr", has_text="kept").locator("input").check()
    client.cancel([kept.pk, gone.pk])
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    assert page.locator("tr.dj-moved-on input").get_attribute("value") == str(kept.pk)


def test_the_reader_holds_a_page_still_and_a_hidden_page_asks_for_nothing(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
) -> None:
    sign_in(page, site)
    other = page.context.new_page()
    other.goto(page.url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def press(name: str) -> None:
        page.get_by_role("button", name=name).click()

    for number, (stop, go) in enumerate(
        [
            (lambda: press("Live"), lambda: press("Paused")),
            (lambda: page.evaluate(HIDE, True), lambda: page.evaluate(HIDE, False)),
        ],
        1,
    ):
        stop()
        page.wait_for_load_state("networkidle")
        asked.clear()
        succeeds.enqueue()
        expect(other.locator("#result_list tbody tr")).to_have_count(number)
        assert asked == []
        go()
        expect(page.locator("#result_list tbody tr")).to_have_count(number)


@pytest.mark.parametrize("way", ["poll", "stream"])
def test_who_is_signed_out_is_told_that_the_page_stands_still(
    page: Page,
    site: str,  # noqa: F811
    settings: Any,
    way: str,
) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "LIVE_UPDATES": way}
    sign_in(page, site)
    Session.objects.all().delete()
    expect(page.get_by_text("This page is no longer updated")).to_be_visible()
    page.get_by_role("link", name="load it again").click()
    page.wait_for_url("**/admin/login/**")


def test_a_stream_that_breaks_is_replaced_by_asking(
    page: Page,
    site: str,  # noqa: F811
    settings: Any,
) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "LIVE_UPDATES": "stream", "STATS_INTERVAL": 30}

    def refuse(route: Any) -> None:
        streams = route.request.headers.get("accept") == "text/event-stream"
        route.fulfill(status=503) if streams else route.continue_()

    page.route("**/job/events/**", refuse)
    sign_in(page, site)
    succeeds.enqueue("one")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    succeeds.enqueue("two")
    expect(page.locator("#result_list tbody tr")).to_have_count(2)


def test_keys_walk_tick_open_search_and_explain_themselves_but_never_while_somebody_types(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
) -> None:
    older, newer = failed("older"), succeeded("newer")
    server("one")
    sign_in(page, site)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert ticked(page) == [str(older.pk)]
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.keyboard.press("x")
    page.keyboard.press("k")
    assert ticked(page) == [str(older.pk)]
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_be_visible()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("jkx/?")
    assert page.locator("#searchbar").input_value() == "jkx/?"
    assert not help_.is_visible()
    assert ticked(page) == [str(older.pk)]
    page.locator("#searchbar").evaluate("box => box.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/job/{newer.pk}/change/**")
    page.goto(f"{site}/admin/django_jobs/server/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/server/*/change/**")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use these keys").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("?")
    assert not help_.is_visible()
