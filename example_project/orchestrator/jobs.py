"""What the server can do: one job type for each kind of job that its clients start."""

from __future__ import annotations

import time

from django_jobs import JobContext, Retry, job, recurring
from django_jobs.cron import Cron


@job("orchestrator.greet")
def greet(name: str) -> str:
    """Fire and forget; or later, with a `delay`: greetings a day after a registration."""
    return f"Welcome, {name}!"


@recurring("easyjob", cron=Cron.daily(), description="Easy!")
@job("orchestrator.easy", capture_print=True)
def easy() -> None:
    """Recurring: every day at midnight."""
    print("Easy!")


class ServiceAway(Exception):
    """The other side does not answer."""


@job("orchestrator.call_service", retry=Retry(attempts=2, delays=[1, 2]), takes_context=True)
def call_service(ctx: JobContext, answers_at: int = 2) -> str:
    """Tried again after an increasing delay; the service of this sample answers from its nth attempt on."""
    if ctx.attempt < answers_at:
        raise ServiceAway(f"no answer to attempt {ctx.attempt}")
    return f"answered attempt {ctx.attempt}"


@job("orchestrator.watch", takes_context=True)
def watch(ctx: JobContext, seconds: float = 3600) -> str:
    """Works until it is cancelled: it asks its token now and then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ctx.raise_if_cancelled()
        time.sleep(0.05)
    return "nobody cancelled it"
