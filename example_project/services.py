"""Which database and which Redis this process talks to: the environment's, or those that `manage.py demo` brings."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dj_database_url

FOLDER = Path(os.environ.get("DEMO_FOLDER") or Path(__file__).parent / "var")
"""Where the example keeps its files."""
MAIL = FOLDER / "mail"
CATALOGUES = FOLDER / "catalogues"

SQLITE_OPTIONS = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}


def sqlite_url(name: str) -> str:
    """Address of a SQLite file in the example's folder."""
    return f"sqlite:///{(FOLDER / name).resolve()}.sqlite3"


def database() -> dict[str, Any]:
    """The entry for DATABASES: DATABASE_URL, or a SQLite file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    entry: dict[str, Any] = dict(dj_database_url.parse(os.environ.get("DATABASE_URL") or sqlite_url("demo")))
    if entry["ENGINE"] == "django.db.backends.sqlite3":
        entry["OPTIONS"] = {**SQLITE_OPTIONS, **entry.get("OPTIONS", {})}
    return entry


def redis_url() -> str:
    """REDIS_URL, or the embedded Valkey of a demo that runs, or a local Redis."""
    if url := os.environ.get("REDIS_URL"):
        return url
    return str(running("demo").get("redis") or "redis://127.0.0.1:6379/0")


class AlreadyRunning(Exception):
    """Another process holds the place; `facts` is what it wrote there."""

    def __init__(self, facts: dict[str, Any]) -> None:
        super().__init__("it runs already")
        self.facts = facts


@contextmanager
def place(name: str) -> Iterator[Path]:
    """Hold the only place of that name in the folder, as long as this process lives. Raises AlreadyRunning.

    It is a lock on a file and not a process id in it, so that a killed process leaves no place taken.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(running(name)) from None
        path.write_text("{}")
        try:
            yield path
        finally:
            path.write_text("{}")


def running(name: str) -> dict[str, Any]:
    """What the process that holds the place wrote there; empty when there is none."""
    try:
        with (FOLDER / f"{name}.json").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(FOLDER / f"{name}.json")
    except FileNotFoundError:
        pass
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads(path.read_text() or "{}")
    except (OSError, ValueError):
        return {}
    return facts
