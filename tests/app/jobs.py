"""Sample jobs, named by how they end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from datetime import timedelta

from django_jobs import JobContext, Retry, Snooze, job


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
