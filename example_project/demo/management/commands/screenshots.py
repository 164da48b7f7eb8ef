"""``manage.py screenshots``: the pictures of README and documentation, taken from a demo that runs for a while."""

from __future__ import annotations

import base64
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from django.core.management.base import BaseCommand, CommandError, CommandParser
from playwright.sync_api import Browser, Page, sync_playwright

from example_project.demo import ports
from example_project.demo.crew import ChildEnded, Crew, StopAsked, TooLong

ROOT = Path(__file__).resolve().parents[4]
HOST = "127.0.0.1"
START = 90
"""Seconds within which the demo must have started."""
USER = "demo"
QUALITY = 82


class Shot(NamedTuple):
    """A picture of a page of the section, or of the first row's page where it is a list's."""

    name: str
    path: str
    first_row: bool = False
    size: tuple[int, int] = (1280, 800)
    scheme: str = "light"


SHOTS = (
    Shot("overview", "overview/", size=(1280, 1000)),
    Shot("overview-dark", "overview/", size=(1280, 1000), scheme="dark"),
    Shot("jobs", "job/"),
    Shot("jobs-narrow", "job/", size=(360, 740)),
    Shot("job-running-dark", "job/?job_type=shop.import_catalogue", first_row=True, size=(1280, 900), scheme="dark"),
    Shot("failures", "failure/", size=(1280, 600)),
    Shot("recurring", "recurringjob/", size=(1280, 600)),
)


class Command(BaseCommand):
    help = "Run a demo, take the pictures of README and documentation from it with Chromium, and stop it."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images", help="default docs/images")
        parser.add_argument(
            "--seconds", type=float, default=60, metavar="S", help="how long the demo works before them (default 60)"
        )

    def handle(self, **options: Any) -> None:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            raise CommandError("There is no Chromium: install it, or name it in CHROMIUM")
        options["folder"].mkdir(parents=True, exist_ok=True)
        try:
            with self._demo(options["seconds"]) as address, self._browser(chromium) as browser:
                for shot in SHOTS:
                    size = self._take(browser, address, shot, options["folder"])
                    self.stdout.write(f"{shot.name}.webp  {size / 1024:.0f} KiB")
        except (ChildEnded, TooLong) as error:
            raise CommandError(f"The demo did not run: {error}") from error
        except StopAsked:
            sys.exit(130)

    @contextmanager
    def _demo(self, seconds: float) -> Iterator[str]:
        """The address of a demo of its own that has worked for so long."""
        environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        port = ports.any_free(HOST)
        command = [sys.executable, str(ROOT / "manage.py"), "demo", "--port", str(port), "--every", "0.3"]
        with (
            tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as place,
            Crew(patience=20) as crew,
        ):
            crew.start("demo", command, {**environment, "DEMO_FOLDER": place}, lambda line: None)
            crew.watch(lambda: ports.answers(HOST, port), START)
            end = time.monotonic() + seconds
            crew.watch(lambda: time.monotonic() > end)
            yield f"http://{HOST}:{port}/admin/"

    @contextmanager
    def _browser(self, chromium: str) -> Iterator[Browser]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            try:
                yield browser
            finally:
                browser.close()

    def _take(self, browser: Browser, address: str, shot: Shot, folder: Path) -> int:
        """Returns the bytes of the picture."""
        width, height = shot.size
        scheme: Any = shot.scheme
        with browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme) as context:
            page = context.new_page()
            self._open(page, address, shot)
            options = {"format": "webp", "quality": QUALITY}
            picture = context.new_cdp_session(page).send("Page.captureScreenshot", options)
        return (folder / f"{shot.name}.webp").write_bytes(base64.b64decode(picture["data"]))

    def _open(self, page: Page, address: str, shot: Shot) -> None:
        page.goto(f"{address}login/?next=/admin/django_jobs/{shot.path}")
        page.fill("#id_username", USER)
        page.fill("#id_password", USER)
        with page.expect_navigation():
            page.press("#id_password", "Enter")
        if shot.first_row:
            with page.expect_navigation():
                page.locator("#result_list tbody a").first.click()
        page.wait_for_load_state("load")
        page.wait_for_timeout(1500)  # graphs draw what they have heard
