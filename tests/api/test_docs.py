"""The how-to of the REST API: its curl commands are run as they stand there, and must print what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from django_jobs.api import urls
from tests.test_docs import DOCS, ROOT, load, work

PAGE = (DOCS / "how-to" / "rest-api.md").read_text()
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ID = re.compile(r'"id":(\d+)')


def commands() -> Iterator[tuple[str, str]]:
    """Each curl command of the page, with what it is said to print."""
    for block in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, printed = part.partition("\n")
            if command.startswith("curl"):
                yield command, printed.strip()


class Tour:
    """Ids on the page count from 1; here they are what the database gave."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.ids: dict[str, str] = {}

    def take(self, command: str, printed: str) -> None:
        here = re.sub(r"/jobs/(\d+)/", lambda found: f"/jobs/{self.ids[found[1]]}/", command)
        words = [self._expanded(word) for word in shlex.split(here.replace("check.adds", "tests.adds"))]
        got = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        wanted = printed.replace("check.adds", "tests.adds")
        for shown, given in zip(ID.findall(wanted), ID.findall(got), strict=False):
            self.ids.setdefault(shown, given)
        wanted = re.sub(r'("id":|Job )(\d+)', lambda found: found[1] + self.ids[found[2]], wanted)
        assert re.fullmatch(re.escape(wanted).replace("…", ".*"), got), f"{command}\nprints {got}\nand not {wanted}"
        work()

    def _expanded(self, word: str) -> str:
        return re.sub(r"\$(\w+)", lambda found: self.environment[found[1]], word).replace("\\n", "\n")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.django_db(transaction=True)
def test_the_tour_prints_what_it_says(live_server: LiveServer, monkeypatch: Any) -> None:
    user = User.objects.create_superuser("demo", password="demo")
    tour = Tour({"API": f"{live_server.url}/api", "AUTH": basic(user)})
    taken = list(commands())
    assert len(taken) >= 10
    for command, printed in taken:
        tour.take(command, printed)


def basic(user: User) -> str:
    """The tests' site has no tokens."""
    return "Authorization: Basic " + b64encode(f"{user.get_username()}:demo".encode()).decode()


def test_every_operation_is_in_the_reference() -> None:
    table = load(ROOT / "docs/_ext/sources.py").endpoints_table()
    assert "{from-code} endpoints" in (DOCS / "reference/rest.md").read_text()
    assert table.count("\n| `") == sum(len(one.callback.actions) for one in urls.operations) + 2
    assert "| `POST jobs/{id}/cancel/` |" in table
    assert "(?P" not in table
