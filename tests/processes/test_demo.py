"""`manage.py demo` as its user starts it: what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings

from tests import services
from tests.servers import ROOT, eventually

pytestmark = [pytest.mark.processes, pytest.mark.once]

DEMO = [sys.executable, str(ROOT / "manage.py"), "demo"]
SERVICES = {"DATABASE_URL", "REDIS_URL"}


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


def family(folder: Path) -> list[str]:
    """Every process that lives and was started for the demo of that folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TMPDIR") == str(folder / "tmp"):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
    return found


def assert_nothing_is_left(folder: Path) -> None:
    eventually(lambda: not family(folder), 15, "every process of the demo has ended")
    assert list((folder / "tmp").iterdir()) == []


def check(environment: Mapping[str, str]) -> str:
    done = subprocess.run([*DEMO, "--check"], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def test_the_check_passes_without_any_service(environment: dict[str, str], tmp_path: Path) -> None:
    table = check(environment)
    assert re.search(r"^(\d+) of \1 ok$", table, re.MULTILINE)
    assert_nothing_is_left(tmp_path)


def test_the_check_passes_twice_on_one_database(
    environment: dict[str, str], tmp_path: Path, transactional_db: None
) -> None:
    lane = {**environment, "DATABASE_URL": database_url(), "REDIS_URL": services.redis_url()}
    check(lane)
    check(lane)
    assert_nothing_is_left(tmp_path)


def database_url() -> str:
    """Address of the database that this test uses."""
    name = str(settings.DATABASES["default"]["NAME"])
    if given := os.environ.get("LANE_DATABASE_URL"):
        return urlsplit(given)._replace(path=f"/{name}").geturl()
    return f"sqlite:///{name}"


def test_a_check_that_cannot_reach_redis_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    environment["REDIS_URL"] = "redis://127.0.0.1:1/0"
    done = subprocess.run([*DEMO, "--check"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Redis cannot be reached" in done.stdout
    assert_nothing_is_left(tmp_path)


class Demo:
    """A demo that runs, with its banner shown. Its wanted port is taken by somebody else."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with socket.create_server(("127.0.0.1", 0)) as taken, log.open("wb") as out:
            port = str(taken.getsockname()[1])
            self.process = subprocess.Popen(
                [*DEMO, "--port", port, "--every", "0.2"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            eventually(lambda: "Ctrl-C stops" in self.text or self.process.poll() is not None, 60, "the banner")
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def address(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+/", self.text)
        assert found
        return found[0]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return str(answer.read().decode())

    def child(self, words: str) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))


@pytest.fixture
def demo(environment: dict[str, str], tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(environment, tmp_path / "demo.log")
    yield demo
    demo.process.kill()
    demo.process.wait()
    eventually(lambda: not family(tmp_path), 30, "every process of the demo has ended")


def test_the_demo_shows_its_login_and_ends_on_ctrl_c(demo: Demo, tmp_path: Path) -> None:
    assert 'name="username"' in demo.get("admin/login/")
    assert "--primary" in demo.get("static/admin/css/base.css")
    assert "is in use; taking" in demo.text
    eventually(lambda: "producer | " in demo.text)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=30) == 0
    assert_nothing_is_left(tmp_path)


def test_another_command_finds_the_redis_of_the_demo(demo: Demo, environment: dict[str, str]) -> None:
    enqueue = [sys.executable, str(ROOT / "manage.py"), "jobs", "enqueue", "check.adds", "2", "3", "--wait", "20"]
    done = subprocess.run(enqueue, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stderr


def test_a_second_demo_on_the_same_files_is_refused(demo: Demo, environment: dict[str, str]) -> None:
    done = subprocess.run(DEMO, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"A demo runs already, at {demo.address}" in done.stderr


@pytest.mark.parametrize("part", ["runjobs", "uvicorn", "demo.broker", "produce"])
def test_when_a_part_dies_the_demo_says_so_and_ends(demo: Demo, tmp_path: Path, part: str) -> None:
    demo.child(part).kill()
    assert demo.process.wait(timeout=30) == 1
    assert "was killed by SIGKILL; the demo ends." in demo.text
    assert_nothing_is_left(tmp_path)


def test_when_the_demo_is_killed_its_parts_end_too(demo: Demo, tmp_path: Path) -> None:
    demo.process.kill()
    began = time.monotonic()
    assert_nothing_is_left(tmp_path)
    assert time.monotonic() - began < 15
