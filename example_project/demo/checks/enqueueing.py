"""Ways in which jobs come to be, and what becomes of them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from django_jobs import monitoring
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Job
from example_project.demo.jobs import adds, awaits, echoes, fails, names_types, overruns, sleeps, tells

from . import claim, ended, patience, situation, told


@claim("a server with its processes", "scheduler, worker, worker")
def servers() -> str:
    end = time.monotonic() + patience()
    while time.monotonic() < end:
        row = monitoring.servers().filter(name=situation.server).first()
        kinds = sorted(child.kind for child in row.children.all()) if row else []
        if len(kinds) == 3:
            return ", ".join(kinds)
        time.sleep(0.05)
    return f"{kinds} of server {situation.server!r}"


@claim("fire and forget", "succeeded: 5")
def fire_and_forget() -> str:
    return told(adds.enqueue(2, 3))


@claim("a result that is JSON", "succeeded: {'a': [1, None, 'ü']}")
def result() -> str:
    return told(echoes.enqueue({"a": [1, None, "ü"]}))


@claim("200 at once", "200 succeeded, sum 19900")
def many() -> str:
    jobs = [ended(job) for job in adds.enqueue_many((number, 0) for number in range(200))]
    results = [int(job.result or 0) for job in jobs if job.state == "succeeded"]
    return f"{len(results)} succeeded, sum {sum(results)}"


@claim("delayed by 1 s", "succeeded: not before its time")
def delayed() -> str:
    return told(echoes.schedule(timedelta(seconds=1)), _punctuality)


def _punctuality(job: Job) -> str:
    assert job.started_at is not None
    assert job.scheduled_at is not None
    late = (job.started_at - job.scheduled_at).total_seconds()
    return "not before its time" if 0 <= late < 5 else f"{late:.3f} s after its time"


@claim("in a transaction that commits", "enqueued in it, then succeeded: 1")
def committed() -> str:
    with transaction.atomic():
        job = echoes.enqueue(1)
        before = job.state
    return f"{before} in it, then {told(job)}"


@claim("in a transaction that is rolled back", "no job")
def rolled_back() -> str:
    with transaction.atomic():
        job = echoes.enqueue(1)
        transaction.set_rollback(True)
    return "a job" if monitoring.jobs().filter(pk=job.pk).exists() else "no job"


@claim("each queue", "critical, default, low-priority")
def queues() -> str:
    names = ["critical", "default", "low-priority"]
    jobs = [tells.using(queue=name).enqueue("hello") for name in names]
    introductions: list[Any] = [ended(job).result for job in jobs]
    return ", ".join(known["queue"] for known in introductions)


@claim("priority", "the last but urgent one overtakes most")
def priority() -> str:
    with transaction.atomic():
        slow = sleeps.using(priority=-50).enqueue_many([(0.05,)] * 20)
        urgent = sleeps.using(priority=50).enqueue(0)
    started = ended(urgent).started_at
    later = [job for job in map(ended, slow) if job.started_at and started and job.started_at > started]
    return "the last but urgent one overtakes most" if len(later) >= 12 else f"it overtakes {len(later)} of {len(slow)}"


@claim("with its context", "succeeded: hello, attempt 1, its id")
def context() -> str:
    return told(tells.enqueue("hello"), _introduction)


def _introduction(job: Job) -> str:
    known: Any = job.result
    return f"{known['greeting']}, attempt {known['attempt']}, {'its id' if known['id'] == job.pk else known['id']}"


@claim("async def, enqueued by await", "succeeded: awaited")
def coroutine() -> str:
    async def enqueue() -> Job:
        return await awaits.aenqueue(0.1)

    return told(asyncio.run(enqueue()))


@claim("failing", "failed: ValueError: brøken, with traceback")
def failing() -> str:
    return told(fails.enqueue("brøken"), _failure)


def _failure(job: Job) -> str:
    last = job.history()[-1]
    traced = "raise ValueError(message)" in last.data.get("traceback", "")
    return f"{last.reason}, {'with' if traced else 'without'} traceback"


@claim("longer than its time limit", "failed: JobTimeout")
def too_long() -> str:
    return told(overruns.enqueue(), lambda job: job.history()[-1].data["exception"].split(".")[-1])


@claim("arguments by annotation", "succeeded: UUID, datetime, date, Decimal; Ōtani 🧾")
def arguments() -> str:
    now = datetime(2026, 2, 28, 12, 30, tzinfo=UTC)
    return told(names_types.enqueue("Ōtani 🧾", uuid.uuid4(), now, date(2024, 2, 29), amount=Decimal("12.50")))


@claim("arguments that cannot be stored", "InvalidJob for args[0], x, args, queue, priority")
def refused() -> str:
    calls: list[Callable[[], Job]] = [
        lambda: echoes.enqueue(object()),
        lambda: adds.enqueue(y=1, x={1}),
        lambda: adds.enqueue(1),
        lambda: echoes.using(queue="nowhere").enqueue(),
        lambda: echoes.using(priority=1000).enqueue(),
    ]
    fields = []
    for call in calls:
        try:
            call()
        except InvalidJob as error:
            fields.append(error.field)
    return f"InvalidJob for {', '.join(fields)}"


@claim("expired before it could start", "deleted")
def expired() -> str:
    return ended(echoes.using(expires=timedelta(seconds=-1)).enqueue()).state
