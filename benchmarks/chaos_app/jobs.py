"""The jobs of the chaos run. Each leaves a line outside of the database: what ran is known, recorded or not."""

from __future__ import annotations

import os
import time

from django.contrib.auth.models import Group

from django_jobs import JobContext, job


def _witness(ctx: JobContext) -> None:
    with open(os.environ["CHAOS_WITNESS"], "a") as file:
        file.write(f"{ctx.id} {ctx.run}\n")


@job("chaos.quick", takes_context=True)
def quick(ctx: JobContext, number: int) -> int:
    _witness(ctx)
    return number


@job("chaos.slow", takes_context=True, queue="critical")
def slow(ctx: JobContext, seconds: float) -> float:
    _witness(ctx)
    time.sleep(seconds)
    return seconds


@job("chaos.queries", takes_context=True)
def queries(ctx: JobContext, number: int) -> int:
    """Uses the database itself: on a cut connection its own code breaks, and it may end Failed."""
    _witness(ctx)
    return Group.objects.count() + number
