"""Sample jobs, named by how they end."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import time
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import transaction

from django_jobs import JobContext, Retry, Snooze, job, recurring
from django_jobs.models import Job, Server
from tests.app import events, graphjobs, limited, longjobs, people, threadjobs  # noqa: F401

logger = logging.getLogger(__name__)


@job("tests.succeeds")
def succeeds(value: object = None) -> object:
    return value


@job("tests.adds")
def adds(x: int, y: int) -> int:
    return x + y


@job("tests.fails", retry=Retry(attempts=0))
def fails(message: str = "broken") -> None:
    raise ValueError(message)


@job("tests.sleeps")
def sleeps(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@job("tests.tells", takes_context=True)
def tells(ctx: JobContext) -> dict[str, object]:
    return {"id": ctx.id, "attempt": ctx.attempt, "run": ctx.run, "worker": ctx.worker}


@job("tests.kills_its_worker")
def kills_its_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job("tests.is_kept_short", retention=timedelta(minutes=5))
def is_kept_short() -> None: ...


@job("tests.fails_twice", retry=Retry(attempts=3, delays=[0.1, 0]), takes_context=True)
def fails_twice(ctx: JobContext) -> int:
    if ctx.attempt < 3:
        raise ConnectionError(f"attempt {ctx.attempt}")
    return ctx.attempt


@job("tests.fails_and_is_deleted", retry=Retry(attempts=1, delays=[0], on_exceeded="delete"))
def fails_and_is_deleted() -> None:
    raise ValueError("never works")


asked: list[tuple[type, int, int]] = []


def unless_for_good(error: BaseException, of: Job) -> float | None:
    asked.append((type(error), of.pk, of.attempts))
    return None if "for good" in str(error) else 0


@job("tests.fails_by_djangos_terms", max_attempts=2, backoff=unless_for_good)
def fails_by_djangos_terms(message: str) -> None:
    raise ValueError(message)


@job("tests.snoozes_once", takes_context=True)
def snoozes_once(ctx: JobContext) -> list[int]:
    if ctx.run == 1:
        raise Snooze(0.2)
    return [ctx.run, ctx.attempt]


@job("tests.leaves_quietly")
def leaves_quietly() -> None:
    os._exit(0)


@job("tests.uses_a_pool")
def uses_a_pool() -> list[int]:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(abs, [-1, 2])


@job("tests.forks")
def forks() -> int:
    pid = os.fork()
    if not pid:
        raise SystemExit
    os.waitpid(pid, 0)
    return os.getpid()


@job("tests.says", takes_context=True)
def says(ctx: JobContext, *lines: str) -> None:
    for line in lines:
        ctx.log(line)


@job("tests.says_and_waits", takes_context=True)
def says_and_waits(ctx: JobContext, seconds: float) -> None:
    ctx.log("begun", "success")
    bar = ctx.progress_bar("waiting", total=seconds)
    bar.set(seconds / 2)
    ctx.metadata["waits"] = seconds
    time.sleep(seconds)
    ctx.log("over")


@job("tests.says_until_killed", takes_context=True)
def says_until_killed(ctx: JobContext) -> int:
    if ctx.run > 1:
        ctx.log("again")
        return ctx.run
    for number in range(10_000):
        ctx.log(number)
        time.sleep(0.01)
    raise AssertionError("nobody killed it")


@job("tests.says_in_a_transaction", takes_context=True)
def says_in_a_transaction(ctx: JobContext, seconds: float) -> None:
    with transaction.atomic():
        Server.objects.filter(name="nobody").update(host="a write")
        ctx.log("inside")
        time.sleep(seconds)
        ctx.log("still inside")


@job("tests.speaks_python", capture_print=True)
def speaks_python() -> None:
    print("printed")
    logger.debug("too quiet")
    logger.info("logged %s", "lazily")
    logging.getLogger("shop.other").warning("by another logger")
    try:
        raise KeyError("x")
    except KeyError:
        logger.exception("with a traceback")
    print("no newline", end="")


@job("tests.speaks_async", takes_context=True)
async def speaks_async(ctx: JobContext) -> Any:
    await asyncio.gather(*(_task(number) for number in range(2)))
    await sync_to_async(logger.warning)("from a thread of asgiref")
    ctx.metadata["seen"] = [*ctx.metadata.get("seen", []), ctx.run]


async def _task(number: int) -> None:
    logger.warning("from task %d", number)


@recurring("tests.yearly", cron="@yearly")
@job("tests.runs_yearly")
def runs_yearly() -> None: ...


@job("tests.has_a_filter_that_raises", filters=["tests.app.filters.RaisesAtTheEnd"])
def has_a_filter_that_raises(culprit: bool) -> bool:
    return culprit


@job("tests.cannot_be_enqueued", filters=["tests.app.filters.RaisesWhenDue"])
def cannot_be_enqueued() -> None: ...
