"""The demo, for tests that use it as people do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.demos import SERVICES, Demo, family
from tests.servers import eventually
from tests.sites import Site


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No services are named, and every file goes to the test's own folder."""
    given = {name: value for name, value in os.environ.items() if name not in SERVICES}
    (tmp_path / "tmp").mkdir()
    return {
        **given,
        "DJANGO_SETTINGS_MODULE": "example_project.settings",
        "DEMO_FOLDER": str(tmp_path / "var"),
        "TMPDIR": str(tmp_path / "tmp"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def demo(environment: dict[str, str], tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(environment, tmp_path / "demo.log")
    yield demo
    demo.process.kill()
    demo.process.wait()
    eventually(lambda: not family(tmp_path), 30, "every process of the demo has ended")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Call it with variables of the environment: the processes of an example, ended after the test."""
    started: list[Site] = []

    def make(**variables: str) -> Site:
        made = Site(tmp_path, {"DEMO_FOLDER": str(tmp_path / "var"), **variables})
        started.append(made)
        return made

    yield make
    for each in started:
        each.end()
        if (tmp_path / "site.log").exists():
            print(each.log[-20_000:])
