"""What becomes of the table: removing what has expired, and days of use with autovacuum as it comes and as advised."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import connection

from . import harness
from .scenarios import Numbers, _history, scenario

EXPIRED = 200_000
ROUNDS = 8
ADVICE = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_cost_delay": "0",
}
TABLES = ("django_jobs_job", "django_jobs_jobstate")


@scenario
def cleanup(jobs: int) -> Numbers:
    """Removing 200,000 expired jobs with two states each, by one process."""
    from django_jobs import clock
    from django_jobs.models import Job
    from django_jobs.server.cleaner import clean_everything

    harness.empty()
    _history(EXPIRED)
    Job.objects.update(expires_at=clock.now() - timedelta(hours=1))
    harness.settle()
    began = time.perf_counter()
    removed = clean_everything()
    return {"expired jobs removed, jobs/s": removed / (time.perf_counter() - began)}


@scenario
def churn(jobs: int) -> Numbers:
    """Fill, drain and remove, eight times: the rate of the last drain and the tables' size. PostgreSQL only."""
    if connection.vendor != "postgresql":
        return {}
    found: Numbers = {}
    for name, options in {"autovacuum by default": {}, "autovacuum as advised": ADVICE}.items():
        harness.empty()
        _set(options)
        rates = [_round(jobs) for _ in range(ROUNDS)]
        found |= {
            f"{name}: first drain, jobs/s": rates[0],
            f"{name}: last drain, jobs/s": rates[-1],
            f"{name}: tables and indexes, MB": _size() / 1e6,
        }
    _set({})
    return found


def _set(options: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} RESET ({', '.join(ADVICE)})")
            if options:
                terms = ", ".join(f"{name} = {value}" for name, value in options.items())
                cursor.execute(f"ALTER TABLE {table} SET ({terms})")


def _round(jobs: int) -> float:
    from django_jobs import clock
    from django_jobs.models import Job
    from django_jobs.server.cleaner import clean_everything

    from .bench_app.jobs import add

    last = harness.last_id()
    add.enqueue_many([(at, 1) for at in range(jobs)])
    with harness.server():
        rate = harness.drain_rate(jobs, lambda: harness.succeeded(last))
    Job.objects.filter(state="succeeded").update(expires_at=clock.now() - timedelta(hours=1))
    clean_everything()
    return rate


def _size() -> float:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s::text[]) AS name", [list(TABLES)]
        )
        return float(cursor.fetchone()[0])
