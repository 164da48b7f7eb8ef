"""Sample jobs that are asked to stop while they run, named by how they end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from django_jobs import JobCancelled, JobContext, job


@job("tests.waits_for_its_cancellation", takes_context=True)
def waits_for_its_cancellation(ctx: JobContext) -> None:
    while True:
        ctx.raise_if_cancelled()
        time.sleep(0.005)


@job("tests.awaits_its_cancellation")
async def awaits_its_cancellation(path: str) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        Path(path).write_text("cancelled")
        raise


@job("tests.cancels_itself")
def cancels_itself() -> None:
    raise JobCancelled("not needed any more")


@job("tests.counts", takes_context=True)
def counts(ctx: JobContext, to: int, seconds: float = 0.01) -> dict[str, int]:
    """Count from its checkpoint on; the result says where this run began."""
    began = ctx.state or 0
    for number in range(began, to):
        time.sleep(seconds)
        ctx.checkpoint(number + 1)
    return {"began": began, "counted": to}


@job("tests.walks", takes_context=True)
def walks(ctx: JobContext, to: int, seconds: float = 0.01) -> list[int]:
    """Iterate over numbers; the result are those of its last run."""
    seen = []
    for number in ctx.iterate(range(to)):
        time.sleep(seconds)
        seen.append(number)
    return seen


@job("tests.walks_async", takes_context=True)
async def walks_async(ctx: JobContext, to: int, seconds: float = 0.01) -> list[int]:
    seen = []
    async for number in ctx.iterate(range(to)):
        await asyncio.sleep(seconds)
        seen.append(number)
    return seen
