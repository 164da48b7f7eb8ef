"""Schedules of other hosts, one job type each."""

from __future__ import annotations

import time

from django_jobs import JobContext, job, recurring
from django_jobs.cron import Cron


@recurring("easyjob", cron=Cron.daily(), description="Easy!")
@job("dhanman.easy")
def easy() -> None:
    """Say that it is easy."""
    print("Easy!")


@recurring("my-job", cron="*/5 * * * * *", overlap="skip", misfire="skip", description="Every five seconds")
@job("dhanman.my_job", takes_context=True)
def my_job(ctx: JobContext) -> None:
    """Write to the console what it does."""
    ctx.log("Job started")
    time.sleep(0.2)
    ctx.log("Job finished")
