"""The jobs that are measured: they do next to nothing."""

from __future__ import annotations

import os
import time

from django_jobs import JobContext, job

from . import asked as _asked  # noqa: F401


@job("bench.add")
def add(x: int, y: int) -> int:
    return x + y


@job("bench.add_each", ack="each")
def add_each(x: int, y: int) -> int:
    return x + y


@job("bench.late")
def late(asked: float) -> float:
    """Seconds from the enqueue to the start."""
    return time.time() - asked


@job("bench.rest")
def rest(seconds: float) -> None:
    time.sleep(seconds)


@job("bench.speak", takes_context=True)
def speak(ctx: JobContext, lines: int, pause: float) -> None:
    """Say when it was said."""
    for _ in range(lines):
        ctx.log(time.time())
        time.sleep(pause)


@job("bench.whose")
def whose() -> int:
    return os.getpid()
