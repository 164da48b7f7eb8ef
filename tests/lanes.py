"""The lanes of a test run: each is one pytest process with its own database and its own Redis."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

DATABASES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "mysql": "MySQL", "sqlite": "SQLite"}
BROKERS = {"redis": "Redis", "valkey": "Valkey"}


AT_THE_MERCY = re.compile(
    r"^tests/(processes|broker)/|browser|walk|interleavings|test_(generated_client|hostile|tracing|alerts|prometheus)\b"
)
"""Tests that wait for something outside of their own process. In a lane they have a second try."""
FEW = 4
"""Tests of a lane that may need it. More are no chance."""


class BadLane(ValueError):
    """The environment names a service that the tests cannot use."""


@dataclass(frozen=True)
class Lane:
    name: str
    database_url: str = ""
    redis_url: str = ""
    first: bool = False

    def environment(self, report: Path) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LANE_")}
        given = {"LANE_DATABASE_URL": self.database_url, "LANE_REDIS_URL": self.redis_url}
        told = {"LANE_REPORT": str(report), "LANE_IS_FIRST": "yes" if self.first else "no"}
        return {**ours, **{name: url for name, url in given.items() if url}, **told}


@dataclass
class Outcome:
    lane: Lane
    status: int
    seconds: float
    used: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    browser_tests: int = 0
    doubtful: list[str] = field(default_factory=list)
    """Tests that passed, but not at their first try."""

    @property
    def failed(self) -> bool:
        return self.status != 0 or len(self.doubtful) > FEW

    @property
    def interrupted(self) -> bool:
        return self.status in (pytest.ExitCode.INTERRUPTED, -signal.SIGTERM, -signal.SIGINT)

    def row(self) -> list[str]:
        """The lane's line of the table."""
        browser = f"Chromium {self.used['chromium']}, {self.browser_tests} tests" if self.browser_tests else "not used"
        return [
            self.lane.name,
            self._met(DATABASES),
            self._met(BROKERS),
            browser,
            str(self.counts.get("passed", 0) + self.counts.get("xfailed", 0)),
            self._not_passed(),
            str(self.counts.get("skipped", 0)),
            f"{self.seconds:.0f}",
        ]

    def _met(self, names: Mapping[str, str]) -> str:
        met = [f"{shown} {self.used[name]}" for name, shown in names.items() if name in self.used]
        return ", ".join(met) or "not used"

    def _not_passed(self) -> str:
        count = sum(self.counts.get(kind, 0) for kind in ("failed", "error", "xpassed"))
        return str(count) if count or not self.failed else f"exit status {self.status}"


HEAD = ["lane", "database", "Redis", "browser", "passed", "failed", "skipped", "seconds"]


def lanes(environment: Mapping[str, str]) -> list[Lane]:
    """SQLite with the embedded Valkey always; another lane for each service that the environment names."""
    redis = checked_redis(environment.get("TEST_REDIS_URL", ""))
    postgres, mariadb = environment.get("TEST_POSTGRES_URL", ""), environment.get("TEST_MARIADB_URL", "")
    found = [Lane("SQLite", first=True)]
    if postgres:
        found.append(Lane("PostgreSQL", postgres, redis))
    if mariadb:
        found.append(Lane("MariaDB", mariadb, redis))
    if redis and len(found) == 1:
        found.append(Lane("SQLite, given Redis", redis_url=redis))
    return found


def checked_redis(url: str) -> str:
    """Every test empties its Redis database, so a number must be given: nobody loses database 0 by leaving it out."""
    if url and not urlsplit(url).path.strip("/").isdecimal():
        raise BadLane("TEST_REDIS_URL must end in a database number of its own, as in redis://127.0.0.1:6379/15")
    return url


def run_all(chosen: Sequence[Lane], arguments: Sequence[str]) -> list[Outcome]:
    """Lane after lane, until the last or an interrupt."""
    outcomes: list[Outcome] = []
    for lane in chosen:
        outcomes.append(run(lane, arguments))
        if outcomes[-1].interrupted:
            break
    return outcomes


def run(lane: Lane, arguments: Sequence[str]) -> Outcome:
    """One pytest process; its output goes straight through."""
    print(f"\n━━━ {lane.name} ━━━", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        cache = f"cache_dir={folder}/cache"
        started = time.monotonic()
        status, found = _pytest(lane, ["-o", cache, *arguments], Path(folder) / "report.json")
        return Outcome(lane, status, time.monotonic() - started, **found)


def _pytest(lane: Lane, arguments: Sequence[str], report: Path) -> tuple[int, dict[str, Any]]:
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=lane.environment(report))
    before = signal.signal(signal.SIGTERM, lambda signum, frame: process.terminate())
    try:
        return _wait(process), json.loads(report.read_text()) if report.exists() else {}
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except KeyboardInterrupt:
        # Ctrl-C reached pytest as well: it ends its servers and reports.
        return process.wait()


def table(outcomes: Sequence[Outcome]) -> str:
    rows = [HEAD, *(outcome.row() for outcome in outcomes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("─" * width for width in widths), *lines[1:]])


def services(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """Every service that a test of any lane talked to, and its version."""
    return {name: version for outcome in outcomes for name, version in outcome.used.items()}
