"""Job types for `demo --check`, named by how they end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone, translation

from django_jobs import Batch, JobContext, Retry, Snooze, job
from example_project.demo.filters import Doorman
from example_project.shop.filters import JobLog, TenantContext, tenant


@job("check.echoes")
def echoes(value: Any = None) -> Any:
    """Return the argument."""
    return value


@job("check.adds")
def adds(x: int, y: int) -> int:
    """Return the sum."""
    return x + y


NO_RETRY = Retry(attempts=0)


@job("check.fails", retry=NO_RETRY)
def fails(message: str) -> None:
    """Raise ValueError."""
    raise ValueError(message)


@job("check.sleeps")
def sleeps(seconds: float) -> float:
    """Take a while."""
    time.sleep(seconds)
    return seconds


@job("check.awaits")
async def awaits(seconds: float) -> str:
    """Take a while, as a coroutine."""
    await asyncio.sleep(seconds)
    return "awaited"


@job("check.overruns", timeout=0.3, retry=NO_RETRY)
def overruns() -> None:
    """Take longer than its limit."""
    time.sleep(30)


@job("check.waits", takes_context=True)
def waits(ctx: JobContext) -> None:
    """Run until it is cancelled."""
    while True:
        ctx.raise_if_cancelled()
        time.sleep(0.005)


@job("check.wakes")
async def wakes() -> None:
    """Sleep until it is cancelled."""
    await asyncio.sleep(600)


@job("check.completes", takes_context=True)
def completes(ctx: JobContext) -> str:
    """End inside its own transaction."""
    with transaction.atomic():
        ctx.complete("by its own transaction")
    return "ignored"


@job("check.tells", takes_context=True)
def tells(ctx: JobContext, greeting: str) -> dict[str, Any]:
    """Tell what it knows of itself."""
    return {"greeting": greeting, "id": ctx.id, "attempt": ctx.attempt, "queue": ctx.queue}


@job("check.names_types")
def names_types(text: str, number: UUID, at: datetime, day: date, amount: Decimal) -> str:
    """Return the type of each argument, and the text."""
    return ", ".join(type(value).__name__ for value in (number, at, day, amount)) + f"; {text}"


def ordinary(x: int, y: int) -> int:
    """No job type: an ordinary RQ job of the site."""
    return x * y


@job("check.recovers", retry=Retry(attempts=3, delays=[0.2, 0], only_on=[ConnectionError]), takes_context=True)
def recovers(ctx: JobContext) -> int:
    """Fail twice, and return the number of the attempt that did not."""
    if ctx.attempt < 3:
        raise ConnectionError(f"no answer to attempt {ctx.attempt}")
    return ctx.attempt


@job("check.gives_up", retry=Retry(attempts=1, delays=[0], on_exceeded="delete"))
def gives_up() -> None:
    """Fail, be tried again, and be deleted."""
    raise ConnectionError("never an answer")


@job("check.snoozes", takes_context=True)
def snoozes(ctx: JobContext) -> str:
    """Ask to be put back once."""
    if ctx.run == 1:
        raise Snooze(0.2)
    return f"run {ctx.run}, attempt {ctx.attempt}"


@job("check.shows_progress", takes_context=True)
def shows_progress(ctx: JobContext, seconds: float) -> None:
    """Say a line, come halfway, and take a while."""
    ctx.log("Half of it is done", level="success")
    ctx.progress_bar("rows", total=200).set(100)
    ctx.progress_bar("files").set(3)
    time.sleep(seconds)
    ctx.log("All of it is done", color="green")


@job("check.speaks", capture_print=True)
def speaks() -> None:
    """Log and print."""
    logging.getLogger("shop").info("logged")
    print("printed")


@job("check.says", takes_context=True, retry=Retry(attempts=1, delays=[0]))
def says(ctx: JobContext, lines: int) -> None:
    """Say many lines and fail once."""
    for number in range(lines):
        ctx.log(number)
    ctx.metadata["attempts"] = ctx.attempt
    if ctx.attempt == 1:
        raise ConnectionError("once")


@job("check.is_watched", filters=[Doorman], retry=NO_RETRY)
def is_watched(word: str) -> str:
    """Return the word, unless it is to be lost; its filter does the rest."""
    if word == "lose":
        raise KeyError(word)
    return word


@job("check.knows_its_caller", filters=[TenantContext, JobLog])
def knows_its_caller() -> str:
    """Tell for whom it runs."""
    return f"{tenant.get()}, {translation.get_language()}, {timezone.get_current_timezone_name()}"


@job("check.counts_parents", takes_context=True)
def counts_parents(ctx: JobContext) -> list[Any]:
    """Return the results of the jobs that it waited for."""
    return ctx.parent_results


@job("check.grows")
def grows(number: int) -> None:
    """Add members to its own batch."""
    batch = Batch.current()
    if batch is not None:
        batch.add([echoes.bind(n) for n in range(number)])


@job("check.is_unique", unique=True)
def is_unique(number: int) -> None:
    """Exist once for each number."""


@job("check.at_most_two", max_concurrency=2)
def at_most_two(seconds: float) -> None:
    """Take a while; two of them at most do so at once."""
    time.sleep(seconds)


@job("check.two_a_second", rate_limit="2/s sliding")
def two_a_second() -> None:
    """Start twice within any second at most."""


@job("check.overruns_async", timeout=0.2, retry=NO_RETRY)
async def overruns_async() -> None:
    """Take longer than it may, in the event loop."""
    await asyncio.sleep(60)


@job("check.is_deaf", isolation="process", timeout=0.2, hard_timeout=0.5, retry=NO_RETRY)
def is_deaf() -> None:
    """Take no notice of the time limit."""
    while True:
        with suppress(BaseException):
            time.sleep(60)


@job("check.crashes", isolation="process", retry=NO_RETRY)
def crashes() -> None:
    """Crash as C code does."""
    os.kill(os.getpid(), signal.SIGSEGV)


@job("check.fills_memory", isolation="process", memory_limit=64, retry=NO_RETRY)
def fills_memory(megabytes: int) -> int:
    """Ask for that much memory."""
    return len(b"x" * (megabytes * 2**20))


@job("check.overstays", max_run=0.05)
def overstays() -> None:
    """Take longer than is promised."""
    time.sleep(0.1)
