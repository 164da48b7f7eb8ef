"""What is measured. Each scenario answers with named numbers."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import psutil
from django.db import connection

from . import harness, machine

Numbers = dict[str, float]
SCENARIOS: dict[str, Callable[[int], Numbers]] = {}


def scenario(function: Callable[[int], Numbers]) -> Callable[[int], Numbers]:
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function


@scenario
def raw(jobs: int) -> Numbers:
    """The bare statements, as a yardstick. PostgreSQL only."""
    if connection.vendor != "postgresql":
        return {}
    url = os.environ["BENCH_DATABASE_URL"].replace("postgres://", "postgresql://")
    return {"raw statements, jobs/s": machine.raw_statements(url, os.environ["BENCH_REDIS_URL"], jobs)}


@scenario
def throughput(jobs: int) -> Numbers:
    """Queued jobs that do nothing, two workers."""
    return {"drain, jobs/s": _drain("add", jobs)}


@scenario
def each(jobs: int) -> Numbers:
    """The same with ``ack="each"``: a crash repeats at most the job that was running."""
    return {'drain with ack="each", jobs/s': _drain("add_each", max(500, jobs // 8))}


def _drain(name: str, jobs: int, keep: bool = False) -> float:
    from .bench_app import jobs as ours

    if not keep:
        harness.empty()
    last = harness.last_id()
    getattr(ours, name).enqueue_many([(number, 1) for number in range(jobs)])
    harness.settle()
    with harness.server():
        return harness.drain_rate(jobs, lambda: harness.succeeded(last))


@scenario
def enqueue(jobs: int) -> Numbers:
    """One by one, each in its own transaction, and as a set."""
    from .bench_app.jobs import add

    harness.empty()
    number = min(jobs, 2000)
    began = time.perf_counter()
    for at in range(number):
        add.enqueue(at, 1)
    single = number / (time.perf_counter() - began)
    began = time.perf_counter()
    add.enqueue_many([(at, 1) for at in range(jobs)])
    return {"enqueue one by one, jobs/s": single, "bulk enqueue, jobs/s": jobs / (time.perf_counter() - began)}


@scenario
def latency(jobs: int) -> Numbers:
    """From the call of enqueue to the first line of the function, 50 a second, idle workers."""
    from django_jobs.models import Job

    from .bench_app.jobs import late

    harness.empty()
    with harness.server():
        _paced(late.enqueue, 20)
        warm = Job.objects.count()
        harness.drain_rate(warm)
        _paced(late.enqueue, 500)
        harness.drain_rate(warm + 500)
    found = sorted(Job.objects.order_by("id").values_list("result", flat=True)[warm:])
    return {f"latency p{share}, ms": 1000 * found[int(len(found) * share / 100)] for share in (50, 95, 99)}


def _paced(call: Callable[[float], Any], number: int, rate: float = 50) -> None:
    began = time.time()
    for at in range(number):
        time.sleep(max(0.0, began + at / rate - time.time()))
        call(time.time())


@scenario
def console(jobs: int) -> Numbers:
    """From the call of ctx.log to the first look at the table that sees the line: 4 lines a second, and 200."""
    return {**_seen("now and then", 150, 0.25), **_seen("in a stream", 2000, 0.005)}


def _seen(how: str, lines: int, pause: float) -> Numbers:
    from django_jobs import monitoring

    from .bench_app.jobs import speak

    harness.empty()
    with harness.server():
        job = speak.enqueue(lines, pause)
        delays: list[float] = []
        while len(delays) < lines:
            found = monitoring.console(job.pk, after=len(delays))
            now = time.time()
            delays += [now - float(line.text) for line in found]
            time.sleep(0.002)
    delays.sort()
    return {f"a line {how} is seen after, p{share}, ms": 1000 * delays[int(lines * share / 100)] for share in (50, 99)}


@scenario
def mixed(jobs: int) -> Numbers:
    """Short jobs queued behind a two-second one: how long the last of them waited."""
    from django_jobs.models import Job

    from .bench_app.jobs import add, rest

    harness.empty()
    with harness.server():
        add.enqueue_many([(at, 1) for at in range(2000)])
        harness.drain_rate(2000)
        long = rest.enqueue(2.0)
        add.enqueue_many([(at, 1) for at in range(100)])
        harness.drain_rate(2101)
    rows = Job.objects.filter(pk__gt=long.pk).values_list("started_at", "created_at")
    waits = sorted((started - created).total_seconds() for started, created in rows)
    return {
        "behind a 2 s job, p50, ms": 1000 * statistics.median(waits),
        "behind a 2 s job, last, ms": 1000 * waits[-1],
    }


@scenario
def growth(jobs: int) -> Numbers:
    """The drain again with a million finished jobs in the table, and with 200,000 waiting ones. PostgreSQL only."""
    from django_jobs import tallies

    if connection.vendor != "postgresql":
        return {}
    harness.empty()
    _history(1_000_000)
    while tallies.add_up() == 0.0:
        """The metrics know the history already, as they would where it came about job by job."""
    finished = _drain("add", jobs, keep=True)
    sizes = _sizes()
    harness.empty()
    _drain_to_waiting(200_000)
    waiting = _part_of(200_000, jobs)
    return {"drain with 1,000,000 finished, jobs/s": finished, "drain with 200,000 waiting, jobs/s": waiting, **sizes}


def _history(number: int) -> None:
    from django_jobs import clock
    from django_jobs.models import Job, JobState
    from django_jobs.states.dialects.insertion import insert

    now = clock.now()
    for start in range(0, number, 5000):
        made = [
            Job(
                job_type="bench.add", args=[at, 1], state="succeeded", created_state="enqueued", state_at=now,
                created_at=now, started_at=now, finished_at=now, run=1, worker="bench/1.1", result=at,
            )
            for at in range(start, start + 5000)
        ]  # fmt: skip
        insert("default", made)
        JobState.objects.bulk_create(
            JobState(job_id=job.pk, name=name, created_at=now, run=1, data={"seconds": 0.1})
            for job in made
            for name in ("processing", "succeeded")
        )


def _sizes() -> Numbers:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
            " WHERE relname IN ('django_jobs_job', 'django_jobs_jobstate')"
        )
        rows = cursor.fetchall()
    named = {name.removeprefix("django_jobs_"): (table, index) for name, table, index in rows}
    return {
        f"{name} {what}, MB per million jobs": size / 1e6
        for name, sizes in named.items()
        for what, size in zip(("table", "indexes"), sizes, strict=True)
    }


def _drain_to_waiting(number: int) -> None:
    from .bench_app.jobs import add

    for start in range(0, number, 20_000):
        add.enqueue_many([(at, 1) for at in range(start, start + 20_000)])
    harness.settle()


def _part_of(waiting: int, jobs: int) -> float:
    """The rate of the first `jobs` of what waits."""
    with harness.server():
        return harness.drain_rate(min(jobs, waiting))


@scenario
def memory(jobs: int) -> Numbers:
    """How much a worker grows over 100,000 jobs after its first 10,000."""
    from django_jobs.models import Server

    from .bench_app.jobs import add

    harness.empty()
    with harness.server():
        add.enqueue_many([(at, 1) for at in range(10_000)])
        harness.drain_rate(10_000)
        pids = list(Server.objects.filter(kind="worker").values_list("pid", flat=True))
        before = sum(psutil.Process(pid).memory_info().rss for pid in pids)
        for _ in range(5):
            add.enqueue_many([(at, 1) for at in range(20_000)])
        harness.drain_rate(110_000)
        after = sum(psutil.Process(pid).memory_info().rss for pid in pids)
    return {"worker, MB": after / len(pids) / 1e6, "growth over 100,000 jobs, %": 100 * (after / before - 1)}


@scenario
def threads(jobs: int) -> Numbers:
    """Jobs that wait for 50 ms: one thread, and two processes with ten threads each."""
    from .bench_app.jobs import rest

    found: Numbers = {}
    for name, number, options in (("1 × 1", 200, ("1", "1")), ("2 × 10", 4000, ("2", "10"))):
        harness.empty()
        rest.enqueue_many([(0.05,)] * number)
        with harness.server("--processes", options[0], "--threads", options[1]):
            found[f"50 ms, {name} threads, jobs/s"] = harness.drain_rate(number, harness.succeeded, 0.05)
    found["times one thread"] = found["50 ms, 2 × 10 threads, jobs/s"] / found["50 ms, 1 × 1 threads, jobs/s"]
    return found


@scenario
def dashboard(jobs: int) -> Numbers:
    """Every page of the dashboard with a million jobs. PostgreSQL only."""
    from .dashboard import measure

    return measure(1_000_000) if connection.vendor == "postgresql" else {}
