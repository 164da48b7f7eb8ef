"""Sample jobs, named by how they end."""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

from django_jobs import JobContext, job


@job("tests.succeeds")
def succeeds(value: object = None) -> object:
    return value


@job("tests.adds")
def adds(x: int, y: int) -> int:
    return x + y


@job("tests.fails")
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
