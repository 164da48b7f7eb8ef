"""What the scenarios share: a server of one's own, counting from outside, and an empty house before each run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from redis import Redis

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("job", "jobstate", "counter", "server", "lease", "consoleline", "progress", "metadata")
TABLES = [f"django_jobs_{name}" for name in NAMES]


def empty() -> None:
    """No job, no history, no bell."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            names = connection.introspection.table_names(cursor)
            cursor.execute(
                "TRUNCATE " + ", ".join(name for name in names if name.startswith("django_jobs_")) + " CASCADE"
            )
        else:
            for table in TABLES:
                cursor.execute(f"DELETE FROM {table}")
    Redis.from_url(os.environ["BENCH_REDIS_URL"]).flushdb()


def settle() -> None:
    """After a fill: statistics, and no checkpoint in the middle of what follows."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")


@contextmanager
def server(*options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A `runjobs` with two workers, until the block ends."""
    command = [sys.executable, "-m", "django", "runjobs", "--processes", "2", "--log-level", "WARNING", *options]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def succeeded(beyond: int = 0) -> int:
    """How many jobs with a greater id succeeded. Who counts a million old ones at each look measures the counting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM django_jobs_job WHERE state = 'succeeded' AND id > %s", [beyond])
        return int(cursor.fetchone()[0])


def last_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM django_jobs_job")
        return int(cursor.fetchone()[0])


def drain_rate(jobs: int, done: Callable[[], int] = succeeded, look: float = 0.25) -> float:
    """Jobs a second from the first look that sees one done to the one that sees all; to be called as workers start."""
    first: tuple[float, int] | None = None
    while True:
        number, now = done(), time.perf_counter()
        if number and first is None:
            first = now, number
        if number >= jobs and first is not None:
            return (jobs - first[1]) / max(now - first[0], look)
        time.sleep(look)
