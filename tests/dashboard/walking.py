"""Someone who follows every link and presses every button of the dashboard, and notes what is wrong with it."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import Locator, Page, Response

SECTION = "/admin/django_jobs/"
SHOTS = os.environ.get("WALK_SCREENSHOTS")
"""A folder for a picture of each kind of page: light and dark, wide and narrow."""
WIDE, NARROW = 1280, 360
LINKS = "links => links.map(link => new URL(link.getAttribute('href'), document.baseURI).href)"
PRESSED = "button[type=submit]:visible, input[type=submit]:visible, button:not([type]):visible"
ADDRESS = "button.getAttribute('formaction') || button.form.getAttribute('action') || ''"
ACTION = f"button => new URL({ADDRESS}, document.baseURI).href"
POSTS = "button => button.form !== null && button.form.method === 'post'"


def kind_of(address: str) -> str:
    """Addresses of one kind lead to one view, for one verb, with the same sort of condition."""
    parts = urlsplit(address)
    try:
        match = resolve(parts.path)
    except Resolver404:
        return parts.path
    verbs = "/".join(str(match.kwargs[name]) for name in ("verb", "order") if name in match.kwargs)
    condition = parts.query.partition("=")[0] if "&" not in parts.query else ""
    # Which list somebody came from makes no other page of a row's.
    return " ".join(filter(None, [match.route, verbs, "" if condition == "_changelist_filters" else condition]))


class Walk:
    """`each` is how many pages of one kind are looked at. Of jobs more: their buttons depend on their states."""

    def __init__(self, page: Page, site: str, role: str, each: int = 1) -> None:
        self.page = page
        self.site = site
        self.role = role
        self.each = each
        self.pages: dict[str, list[str]] = {}
        self.pressed: set[str] = set()
        self.wrong: list[str] = []
        page.on("response", self._note)
        page.on("dialog", lambda dialog: dialog.accept())

    def _note(self, response: Response) -> None:
        if response.status >= 400 and "favicon" not in response.url:
            self.wrong.append(f"{response.request.method} {response.url}: {response.status}")

    # Pages

    def look_everywhere(self) -> None:
        """Every page of the section that a link leads to."""
        waiting, seen = deque([f"{self.site}{SECTION}"]), Counter[str]()
        known = set(waiting)
        while waiting:
            address = waiting.popleft()
            kind = kind_of(address)
            seen[kind] += 1
            if seen[kind] > (12 if kind.endswith("job/<path:object_id>/change/") else self.each):
                continue
            self.look(address, kind)
            new = [link for link in self.links() if link not in known]
            known.update(new)
            waiting.extend(new)

    def look(self, address: str, kind: str) -> None:
        first = kind not in self.pages
        self.pages.setdefault(kind, []).append(address)
        self.page.goto(address)
        self.page.wait_for_load_state("load")
        if first:
            self._measure(kind)

    def links(self) -> list[str]:
        """What leads to other pages of the section, or narrows a list by one condition; not by several."""
        found = self.page.locator("a[href]").evaluate_all(LINKS)
        links = dict.fromkeys(link.partition("#")[0] for link in found)
        return [link for link in links if link.startswith(f"{self.site}{SECTION}") and "&" not in link]

    def _measure(self, kind: str) -> None:
        """On a telephone nothing is wider than the screen."""
        for width in (NARROW, WIDE):
            self.page.set_viewport_size({"width": width, "height": 740 if width == NARROW else 900})
            wide = self.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                self.wrong.append(f"{kind} is {wide} px wide on a screen of {width}")
            if SHOTS:
                self._picture(kind, width)

    def _picture(self, kind: str, width: int) -> None:
        name = re.sub(r"\W+", "-", kind.removeprefix("admin/django_jobs/")).strip("-") or "home"
        folder = Path(SHOTS or ".") / self.role
        folder.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            self.page.screenshot(
                path=folder / f"{name[:80]}-{width}-{scheme}.png", full_page=True, animations="disabled"
            )
        self.page.emulate_media(color_scheme="light")

    # Buttons

    def press_everything(self) -> None:
        """Every button that posts, once for each thing that it does; and every action of a list."""
        for addresses in self.pages.values():
            for address in addresses:
                self._press_all_on(address)
        for kind, addresses in self.pages.items():
            if " " not in kind:
                self._act_in_bulk(addresses[0])

    def _press_all_on(self, address: str) -> None:
        self.page.goto(address)
        while (button := self._new_button()) is not None:
            self._press(button)
            self._confirm()
            self.page.goto(address)

    def _confirm(self) -> None:
        """Where a page asks whether it is meant so, it is."""
        button = self._new_button()
        if button is not None and self.page.locator("#content .cancel-link").count():
            self._press(button)

    def _press(self, button: Locator) -> None:
        with self.page.expect_navigation():
            button.click()
        self.page.wait_for_load_state("load")

    def _new_button(self) -> Locator | None:
        for button, does in self._buttons():
            if does not in self.pressed:
                self.pressed.add(does)
                return button
        return None

    def _buttons(self) -> Iterator[tuple[Locator, str]]:
        for button in self.page.locator("#content").locator(PRESSED).all():
            if button.evaluate(POSTS) and button.get_attribute("name") != "index":
                yield button, self.does(button)

    def does(self, button: Locator) -> str:
        """The kind of address that it posts to, and its name where the form has several."""
        action = str(button.evaluate(ACTION))
        confirms = " confirmed" if self.page.locator("#content .cancel-link").count() else ""
        name = button.get_attribute("name")
        return " ".join(filter(None, [kind_of(action), name and f"_{name}", confirms.strip()]))

    def _act_in_bulk(self, address: str) -> None:
        self.page.goto(address)
        offered = self.page.locator("select[name=action] option").evaluate_all("ones => ones.map(one => one.value)")
        for action in sorted(filter(None, offered), key=lambda name: "delete" in name):
            self.pressed.add(f"{kind_of(address)} {action}")
            self.page.goto(address)
            boxes = self.page.locator("#result_list tbody input[type=checkbox]")
            if boxes.count() == 0:
                self.wrong.append(f"nothing is left in the list to try {action}")
                continue
            boxes.first.check()
            self.page.locator("select[name=action]").select_option(action)
            self._press(self.page.locator("button[name=index]").first)
            self._confirm()
