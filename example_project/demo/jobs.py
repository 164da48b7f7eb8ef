"""Job types for `demo --check`, named by how they end."""

from __future__ import annotations

import asyncio
import time
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django_jobs import JobContext, Retry, Snooze, job


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
