"""Jobs that say when they heard what they were asked. The monotonic clock is one for all processes of a machine."""

from __future__ import annotations

import time
from pathlib import Path

from django_jobs import JobCancelled, JobContext, job


@job("bench.listens", takes_context=True)
def listens(ctx: JobContext, path: str) -> None:
    """Look for a cancellation all the time, as a job with a short step does."""
    Path(path).write_text("running")
    try:
        while True:
            ctx.raise_if_cancelled()
            time.sleep(0.001)
    except JobCancelled:
        Path(path).write_text(f"{time.monotonic()}")
        raise


@job("bench.steps", takes_context=True)
def steps(ctx: JobContext, path: str) -> None:
    Path(path).write_text("running")
    for _ in ctx.iterate(range(10**9)):
        time.sleep(0.001)


@job("bench.deaf")
def deaf(path: str) -> None:
    Path(path).write_text("running")
    time.sleep(3600)
