"""Every page in a real browser: under an enforced content security policy, read by axe in light and dark, at 360 px."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from django.test import Client
from playwright.sync_api import Page

from tests.dashboard.everywhere import furnish, pages
from tests.dashboard.test_browser import complaints, sign_in, site, strict  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
REFUSED = """
window.refused = [];
document.addEventListener("securitypolicyviolation", event => {
    window.refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""


def serious(page: Page) -> Iterator[str]:
    """What axe finds that keeps somebody from using the page."""
    page.evaluate(AXE)
    found: Any = page.evaluate(RUN)
    for breach in found:
        if breach["impact"] in {"serious", "critical"}:
            for node in breach["nodes"]:
                yield f"{breach['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"


def test_every_page_passes_policy_axe_and_telephone_in_light_and_dark(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    as_root_later: Any,
    tmp_path: Path,
) -> None:
    furniture = furnish()
    sign_in(page, site)
    every = pages(as_root_later(), furniture)
    assert len(every) > 12
    shots = Path(os.environ.get("SHOTS", tmp_path))
    page.add_init_script(REFUSED)
    wrong: list[str] = []
    for name, address in every.items():
        for scheme, width in (("light", 1280), ("dark", 360)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 740})
            page.goto(site + address)
            page.screenshot(path=shots / f"{name}-{scheme}-{width}.png", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wrong.append(f"{name} {scheme} {width}: wider than its window")
            wrong += [f"{name} {scheme} {width}: {found}" for found in page.evaluate("window.refused")]
            wrong += [f"{name} {scheme} {width}: {found}" for found in serious(page)]
    assert wrong == [], "\n".join(wrong)


@pytest.fixture
def as_root_later() -> Any:
    """A browser for the superuser that signing in has made."""
    from django.contrib.auth import get_user_model

    def client() -> Client:
        browser = Client()
        browser.force_login(get_user_model().objects.get(username="root"))
        return browser

    return client
