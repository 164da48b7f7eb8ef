"""Pausable work of two types, so that agents can be started for either."""

from __future__ import annotations

import time

from django_jobs import JobContext, job


@job("stock.count", takes_context=True)
def count_shelves(ctx: JobContext, shelves: int = 60, seconds: float = 0.5) -> int:
    """Count shelf by shelf. Paused, killed or moved to another agent, it goes on with the next shelf."""
    return _one_by_one(ctx, range(1, shelves + 1), "shelf", seconds)


@job("stock.label", takes_context=True)
def print_labels(ctx: JobContext, labels: int = 60, seconds: float = 0.5) -> int:
    """Print label by label, as pausable as counting."""
    return _one_by_one(ctx, range(1, labels + 1), "label", seconds)


def _one_by_one(ctx: JobContext, things: range, name: str, seconds: float) -> int:
    done = ctx.iterate(things, name=name)
    if ctx.run > 1:
        ctx.log(f"Going on after {name} {done.done}")
    for number in done:
        time.sleep(seconds)
        ctx.log(f"{name} {number}")
    return int(done.done)
