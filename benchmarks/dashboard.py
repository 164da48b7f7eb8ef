"""How long each page of the dashboard takes, and how many statements, with a million jobs. PostgreSQL only."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from . import harness

LISTS = {
    "all": "",
    "succeeded": "?state=succeeded",
    "enqueued": "?state=enqueued",
    "processing": "?state=processing",
    "failed": "?state=failed",
    "scheduled": "?state=scheduled",
    "deleted": "?state=deleted",
    "one type": "?job_type=bench.add",
    "by type": "?o=2",
    "text that is found": "?q=bench.add",
    "text that is not": "?q=nowhere",
    "an argument that is found": "?q=args.a:77",
    "an argument that is not": "?q=args.a:-77",
    "failed, an error": "?state=failed&q=error:card",
}
OTHERS = ("overview", "waitingretry", "failure", "queue", "server", "batch", "recurringjob")


def measure(jobs: int) -> dict[str, float]:
    """Medians of five visits of each page: a million that succeeded, then a million that wait before a few others."""
    found: dict[str, float] = {}
    for name, states in (
        ("many succeeded", {"succeeded": jobs, "failed": 2000, "enqueued": 500, "scheduled": 500, "deleted": 500}),
        ("many waiting", {"succeeded": 500, "failed": 500, "scheduled": 500, "deleted": 500, "enqueued": jobs}),
    ):
        harness.empty()
        for state, number in states.items():
            fill(state, number)
        harness.settle()
        browser = _browser()
        for page, address in pages():
            milliseconds, busy, statements = visit(browser, address)
            found[f"{name}: {page}, ms"] = milliseconds
            found[f"{name}: {page}, ms of our CPU"] = busy
            found[f"{name}: {page}, statements"] = statements
    return found


def fill(state: str, number: int) -> None:
    """Copies of one job, each with an argument of its own, and the history of those that ran."""
    from django_jobs import clock
    from django_jobs.models import Counter, Job

    now = clock.now()
    ended = state in {"succeeded", "failed", "deleted"}
    first = Job.objects.create(
        job_type="bench.add", args=[0, 1], state=state, created_state="enqueued", state_at=now, created_at=now,
        run=int(ended), worker="bench/1.1" if ended else "", started_at=now if ended else None,
        finished_at=now if ended else None, expires_at=now + timedelta(days=1) if ended else None,
        scheduled_at=now + timedelta(hours=1) if state == "scheduled" else None,
        state_reason="ValueError: no card" if state == "failed" else "",
    )  # fmt: skip
    columns = [field.column for field in Job._meta.concrete_fields if field.column not in {"id", "args"}]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO django_jobs_job ({names}, args) SELECT {names}, jsonb_build_array(g, 1)"
            " FROM django_jobs_job CROSS JOIN generate_series(1, %s) g WHERE id = %s",
            [number - 1, first.pk],
        )
        if ended:
            cursor.execute(
                "INSERT INTO django_jobs_jobstate (job_id, name, reason, created_at, run, data)"
                " SELECT id, s, state_reason, state_at, 1, '{}' FROM django_jobs_job,"
                " unnest(ARRAY['processing', %s]) s WHERE state = %s",
                [state, state],
            )
            Counter.objects.create(name=state, hour=now.replace(minute=0, second=0, microsecond=0), value=number)


def pages() -> Iterator[tuple[str, str]]:
    from django_jobs.models import Job

    lists = reverse("admin:django_jobs_job_changelist")
    for name, query in LISTS.items():
        yield f"jobs, {name}", lists + query
    yield "a job", reverse("admin:django_jobs_job_change", args=[Job.objects.order_by("pk").first().pk])  # type: ignore[union-attr]
    for model in OTHERS:
        try:
            yield model, reverse(f"admin:django_jobs_{model}_changelist")
        except NoReverseMatch:
            continue


def visit(browser: Client, address: str) -> tuple[float, float, int]:
    """Milliseconds, those in which this process worked itself, and statements. The first visit is not counted."""
    times, busy = [], []
    for _ in range(6):
        began, worked = time.perf_counter(), time.process_time()
        answer = browser.get(address)
        times.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - worked))
        assert answer.status_code == 200, (address, answer.status_code)
    with CaptureQueriesContext(connection) as captured:
        browser.get(address)
    asked = [query for query in captured if not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]
    return statistics.median(times[1:]), statistics.median(busy[1:]), len(asked)


def _browser() -> Client:
    user: Any = get_user_model()
    root, _ = user.objects.get_or_create(username="bench", defaults={"is_staff": True, "is_superuser": True})
    browser = Client()
    browser.force_login(root)
    return browser
