"""Sample jobs for threads, time limits and isolation, named by how they end."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.db import connection, transaction

from django_jobs import JobContext, Retry, job
from django_jobs.models import Counter

_meeting: dict[int, threading.Barrier] = {}
_door = threading.Lock()


@job("tests.meets")
def meets(count: int) -> str:
    """Ends when so many of its kind run at once in one process."""
    with _door:
        barrier = _meeting.setdefault(count, threading.Barrier(count))
    barrier.wait(15)
    return "met"


@job("tests.queries")
def queries(threads: int) -> int:
    """Answers which thread runs it, and leaves a transaction open there."""
    meets(threads)
    transaction.atomic().__enter__()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return threading.get_ident()


@job("tests.takes_each_by_itself", ack="each")
def takes_each_by_itself(value: int) -> int:
    return value


@job("tests.loops_in_python", timeout=0.5)
def loops_in_python() -> None:
    while True:
        time.sleep(0.01)


@job("tests.is_stuck_in_c", timeout=0.2, hard_timeout=1.0, retry=Retry(attempts=1, delays=[0]))
def is_stuck_in_c(seconds: float) -> None:
    time.sleep(seconds)


@job("tests.holds_the_interpreter", hard_timeout=1.0)
def holds_the_interpreter() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")


_async_meeting: list[asyncio.Event] = []


@job("tests.meets_async")
async def meets_async(count: int) -> int:
    """Ends when so many of its kind run at once in one event loop."""
    _async_meeting.append(asyncio.Event())
    if len(_async_meeting) == count:
        for event in _async_meeting:
            event.set()
    await _async_meeting[-1].wait()
    return id(asyncio.get_running_loop())


@job("tests.waits_async", timeout=0.5)
async def waits_async() -> None:
    await asyncio.sleep(60)


@job("tests.saves_async")
async def saves_async(name: str) -> int:
    """Answers in which thread the ORM worked; leaves a transaction open there, and a task behind."""
    await Counter.objects.acreate(name=name, hour=datetime(2026, 1, 1, tzinfo=UTC), value=1)
    asyncio.get_running_loop().create_task(asyncio.sleep(60))
    return await sync_to_async(_leave_open)()


@job("tests.counts_async")
async def counts_async() -> int:
    return await Counter.objects.acount()


def _leave_open() -> int:
    transaction.atomic().__enter__()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return threading.get_ident()


@job("tests.tells_its_process", isolation="process", takes_context=True)
def tells_its_process(ctx: JobContext, value: object) -> list[object]:
    ctx.log("said in its process")
    ctx.metadata["process"] = "its own"
    ctx.checkpoint({"kept": value})
    return [os.getpid(), threading.active_count(), ctx.state, Counter.objects.count()]


@job("tests.crashes_alone", isolation="process")
def crashes_alone() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@job("tests.leaves_its_process", isolation="process")
def leaves_its_process() -> None:
    os._exit(3)


@job("tests.fills_memory", isolation="process", memory_limit=64)
def fills_memory(megabytes: int) -> int:
    return len(b"x" * (megabytes * 2**20)) // 2**20


@job("tests.is_deaf_alone", isolation="process", timeout=0.3, hard_timeout=1.0)
def is_deaf_alone() -> None:
    while True:
        with suppress(BaseException):
            time.sleep(60)


@job("tests.loops_alone", isolation="process", timeout=0.3)
def loops_alone() -> None:
    while True:
        time.sleep(0.01)


@job("tests.waits_to_be_cancelled", isolation="process", takes_context=True)
def waits_to_be_cancelled(ctx: JobContext) -> None:
    ctx.log("waiting")
    while True:
        ctx.raise_if_cancelled()
        time.sleep(0.01)


@job("tests.counts_on", isolation="process", takes_context=True)
def counts_on(ctx: JobContext, end: int) -> int:
    """Goes on where it was stopped."""
    for number in range(ctx.state or 0, end):
        time.sleep(0.05)
        ctx.checkpoint(number + 1)
    return ctx.run


@job("tests.promised", max_wait=60)
def promised() -> None: ...
