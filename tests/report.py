"""What a run of the tests really used. Written for `python -m tests`, which adds the lanes up."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

used: dict[str, str] = {}
"""Service (postgresql, mariadb, sqlite, redis, valkey, chromium, …) and the version that was met."""


def note(service: str, version: str) -> None:
    """A test talked to that service."""
    used.setdefault(service, version)


def write(counts: Mapping[str, int], browser_tests: int, doubtful: list[str]) -> None:
    if path := os.environ.get("LANE_REPORT"):
        found = {"used": used, "counts": dict(counts), "browser_tests": browser_tests, "doubtful": doubtful}
        Path(path).write_text(json.dumps(found))
