"""More than one server, and many schedules at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import psutil
from django.db import connection, connections, transaction

from . import harness
from .scenarios import Numbers, scenario

SERVERS = (1, 2, 4)
SCHEDULES = 10_000


@scenario
def servers(jobs: int) -> Numbers:
    """The drain with one, two and four `runjobs` of two workers each on one database. PostgreSQL only."""
    if connection.vendor != "postgresql":
        return {}
    found: Numbers = {}
    for number in SERVERS:
        for name, value in _with_servers(number, jobs).items():
            found[f"{number} runjobs: {name}"] = value
    return found


def _with_servers(number: int, jobs: int) -> Numbers:
    from .bench_app.jobs import add

    harness.empty()
    add.enqueue_many([(at, 1) for at in range(jobs)])
    harness.settle()
    before, cpu = _written(), _cpu()
    with _waits() as waits, ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(harness.server())
        rate = harness.drain_rate(jobs)
        after, spent = _written(), {name: now - cpu[name] for name, now in _cpu().items()}
    looks = sum(waits.values()) or 1
    shares = {f"{kind} of busy backends, %": 100 * waits[kind] / looks for kind in ("running", "Lock", "LWLock", "IO")}
    return {
        "jobs/s": rate,
        "commits per job": (after["commits"] - before["commits"]) / jobs,
        "WAL bytes per job": (after["wal"] - before["wal"]) / jobs,
        "PostgreSQL, CPU µs per job": 1e6 * spent["postgres"] / jobs,
        "workers, CPU µs per job, start included": 1e6 * spent["python"] / jobs,
        **shares,
    }


def _written() -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xact_commit, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') FROM pg_stat_database"
            " WHERE datname = current_database()"
        )
        commits, wal = cursor.fetchone()
    return {"commits": float(commits), "wal": float(wal)}


def _cpu() -> dict[str, float]:
    """Seconds of processor time that PostgreSQL and our children have had."""
    spent = {"postgres": 0.0, "python": 0.0}
    children = psutil.Process().children(recursive=True)
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres" or process in children:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            spent["postgres" if process.info["name"] == "postgres" else "python"] += times.user + times.system
    return spent


@contextmanager
def _waits(pause: float = 0.02) -> Iterator[Counter[str]]:
    """What the backends that have work to do are waiting for, looked at again and again."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def look() -> None:
        try:
            while not over.wait(pause):
                with connection.cursor() as cursor:
                    cursor.execute(
                        "SELECT coalesce(wait_event_type, 'running') FROM pg_stat_activity WHERE state = 'active'"
                        " AND datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    seen.update(kind for (kind,) in cursor.fetchall())
        finally:
            connections.close_all()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@scenario
def schedules(jobs: int) -> Numbers:
    """10,000 recurring jobs that fall due in the same second: how late their jobs were made, and when all had run."""
    from django_jobs import clock
    from django_jobs.models import Job, RecurringJob

    harness.empty()
    due = (clock.now() + timedelta(seconds=60)).replace(microsecond=0)
    with transaction.atomic():
        for at in range(SCHEDULES):
            cron = f"{due.second} {due.minute} {due.hour} * * *"
            RecurringJob.objects.add_or_update(f"bench-{at}", "bench.add", cron=cron, args=[at, 1], time_zone="UTC")
    with harness.server():
        while (left := (due - clock.now()).total_seconds()) > 0:
            time.sleep(min(left, 1))
        while Job.objects.filter(state="succeeded").count() < SCHEDULES:
            time.sleep(0.25)
    late = sorted((at - due).total_seconds() for at in Job.objects.values_list("created_at", flat=True))
    ended = max(Job.objects.values_list("finished_at", flat=True))
    return {
        "10,000 schedules of one second: job made, p50, ms late": 1000 * late[len(late) // 2],
        "10,000 schedules of one second: the last made, ms late": 1000 * late[-1],
        "10,000 schedules of one second: all had run, ms after": 1000 * (ended - due).total_seconds(),
    }
