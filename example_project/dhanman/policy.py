"""What holds for every job of the services: how it is tried again, what is logged, when it runs by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.mail import send_mail
from django.utils import timezone

from django_jobs import Filter, JobContext, Retry, job, monitoring, recurring
from django_jobs.decorators import JobFunction

from .timetables import ROWS, ZONE

logger = logging.getLogger("dhanman.jobs")

POLICY = Retry(attempts=3, delays=[60, 300, 900], on_exceeded="delete")
"""Three more tries, after 1, 5 and 15 minutes; what still fails then is deleted, with its history."""

OFFICE = "office@dhanman.example"
Declare = Callable[[JobFunction[Any, Any]], JobFunction[Any, Any]]


class JobLogger(Filter):
    """A line when a job starts, and when it has completed or failed. It goes to the job's console, too."""

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        logger.info("Starting job: %s", ctx.job_type)
        try:
            result = proceed()
        except Exception:
            logger.exception("Job failed: %s", ctx.job_type)
            raise
        logger.info("Job completed: %s", ctx.job_type)
        return result


def service_job(name: str, **options: Any) -> Callable[[Callable[..., Any]], JobFunction[Any, Any]]:
    """``@job`` with the services' policy and logger."""
    return job(name, retry=POLICY, filters=[JobLogger], **options)


def scheduled(id: str) -> Declare:
    """``@recurring`` with the line of the timetable that has this id."""
    row = ROWS[id]
    return recurring(row.id, cron=row.cron, time_zone=ZONE, overlap="skip", description=row.purpose)


def today() -> date:
    """The day it is for the society."""
    return timezone.localdate(timezone=ZoneInfo(ZONE))


def day_of(ctx: JobContext) -> date:
    """The day for which a run was due: a tick that was missed may be made up on the next one. Else today."""
    return timezone.localdate(monitoring.get(ctx.id).tick, timezone=ZoneInfo(ZONE))


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE))


def mail(to: str, subject: str, text: str) -> None:
    """By Django's mail backend, which in the example writes files."""
    send_mail(subject, text, OFFICE, [to])
