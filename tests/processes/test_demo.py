"""`manage.py demo` as its user starts it: what it shows, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests import services
from tests.demos import DEMO, Demo, assert_nothing_is_left
from tests.servers import ROOT, eventually

pytestmark = [pytest.mark.processes, pytest.mark.once]


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
    try:
        check(lane)
        check(lane)
    finally:  # rows of an app that these tests do not have would keep them from emptying the table of users
        subprocess.run([*DEMO[:-1], "migrate", "dhanman", "zero"], env=lane, capture_output=True, check=True)
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
