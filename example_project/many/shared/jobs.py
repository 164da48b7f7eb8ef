"""Jobs of both applications. Their schedules have the same ids in both, so there is one of each."""

from __future__ import annotations

import time

from django.core.management import call_command
from django.utils import timezone

from django_jobs import JobContext, job, recurring


@recurring("my-job", cron="*/5 * * * * *", misfire="skip", description="Every five seconds")
@job("shared.my_job", takes_context=True)
def my_job(ctx: JobContext) -> None:
    """Write to the console what it does."""
    ctx.log(f"Job started at {timezone.now()}")
    time.sleep(2)
    ctx.log(f"Job finished at {timezone.now()}", color="green")


@recurring("maintenance", cron="0 3 * * *", description="Delete what is kept no longer")
@job("shared.maintenance", capture_print=True)
def maintenance() -> None:
    """The leader does this all day, in small sets; a schedule of one's own is for a fixed hour."""
    call_command("jobs", "cleanup")
