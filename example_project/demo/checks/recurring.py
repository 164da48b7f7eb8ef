"""Jobs that come by a timetable."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from django_jobs.exceptions import InvalidJob
from django_jobs.models import Job, RecurringJob
from example_project.demo.jobs import echoes, sleeps

from . import claim, ended, patience, told

RUN = secrets.token_hex(3)
EVERY_SECOND = "* * * * * *"


def ours(name: str) -> str:
    """An id of this check alone: jobs of an earlier one may still be stored."""
    return f"{name}-{RUN}"


def first_of(id: str) -> Job:
    """The first job that the schedule makes."""
    end = time.monotonic() + patience()
    while time.monotonic() < end:
        if job := Job.objects.filter(recurring_job=id, tick__isnull=False).order_by("pk").first():
            return job
        time.sleep(0.05)
    raise TimeoutError("no tick became a job")


@claim("recurring, every second", "succeeded: tick")
def every_second() -> str:
    RecurringJob.objects.add_or_update(ours("check-second"), echoes, cron=EVERY_SECOND, args=["tick"])
    try:
        return told(first_of(ours("check-second")))
    finally:
        RecurringJob.objects.remove(ours("check-second"))


@claim("recurring, started in time", "within a second")
def in_time() -> str:
    RecurringJob.objects.add_or_update(ours("check-time"), echoes, cron=EVERY_SECOND, queue="critical")
    try:
        job = ended(first_of(ours("check-time")))
    finally:
        RecurringJob.objects.remove(ours("check-time"))
    late = (job.created_at - (job.tick or job.created_at)).total_seconds()
    return "within a second" if 0 <= late < 1 else f"{late:.1f} s late"


@claim("recurring, triggered by hand", "disabled, succeeded: now")
def triggered() -> str:
    row = RecurringJob.objects.add_or_update(ours("check-hand"), echoes, cron="@yearly", args=["now"])
    try:
        row.disable()
        return f"{row.status}, {told(row.trigger())}"
    finally:
        RecurringJob.objects.remove(ours("check-hand"))


@claim("recurring, no overlap", "1 job in 2.5 seconds")
def no_overlap() -> str:
    RecurringJob.objects.add_or_update(ours("check-overlap"), sleeps, cron=EVERY_SECOND, args=[4], overlap="skip")
    try:
        first_of(ours("check-overlap"))
        time.sleep(2.5)
        return f"{Job.objects.filter(recurring_job=ours('check-overlap')).count()} job in 2.5 seconds"
    finally:
        RecurringJob.objects.remove(ours("check-overlap"))


def missed(name: str, *args: object, **terms: str) -> RecurringJob:
    """A schedule that missed three of its hourly runs, the last one half an hour ago."""
    now = timezone.now()
    minute = (now - timedelta(minutes=30)).minute
    row = RecurringJob.objects.add_or_update(ours(name), sleeps, cron=f"{minute} * * * *", args=args, **terms)
    since = now - timedelta(hours=3)
    RecurringJob.objects.filter(pk=row.pk).update(since=since, next_run=row.timetable.next(since))
    return row


def caught_up(rows: Sequence[RecurringJob]) -> None:
    """Wait until the leader has dealt with what they missed."""
    end = time.monotonic() + patience()
    while time.monotonic() < end:
        if not RecurringJob.objects.filter(pk__in=[row.pk for row in rows], next_run__lte=timezone.now()).exists():
            return
        time.sleep(0.05)
    raise TimeoutError("missed runs are not made up")


@claim("recurring, three runs missed", "relaxed: 1, strict: 3, skip: 0")
def misfires() -> str:
    policies = ("relaxed", "strict", "skip")
    rows = [missed(f"check-{policy}", 0, misfire=policy) for policy in policies]
    try:
        caught_up(rows)
        made = [[ended(job).state for job in Job.objects.filter(recurring_job=row.pk)] for row in rows]
    finally:
        for row in rows:
            RecurringJob.objects.remove(row.pk)
    return ", ".join(f"{policy}: {states.count('succeeded')}" for policy, states in zip(policies, made, strict=True))


@claim("recurring, a run that waits", "awaiting, then succeeded after the first")
def overlap_queue() -> str:
    row = RecurringJob.objects.add_or_update(ours("check-queue"), sleeps, cron="@yearly", args=[2])
    try:
        first = row.trigger()
        caught_up([missed("check-queue", 0, overlap="queue")])
        second = ended(first_of(row.pk))
    finally:
        RecurringJob.objects.remove(row.pk)
    done = ended(first).finished_at
    after = "after" if done and second.started_at and second.started_at >= done else "before the end of"
    return f"{second.created_state}, then {second.state} {after} the first"


@claim("recurring, a broken expression", "cron refused")
def refused() -> str:
    try:
        RecurringJob.objects.add_or_update("check-refused", echoes, cron="0 25 * * *")
    except InvalidJob as error:
        return f"{error.field} refused"
    return "accepted"


@claim("recurring, declared in code", "25 stored, last day of February 23:00 IST")
def declared() -> str:
    salaries = RecurringJob.objects.get(pk="process-monthly-salaries")
    (run,) = salaries.next_runs(1, after=datetime.fromisoformat("2028-02-10T00:00:00+00:00"))
    stored = RecurringJob.objects.filter(application="example_project", by_decorator=True).count()
    day = "last day of February" if (run.month, run.day) == (2, 29) else f"{run:%d %B}"
    return f"{stored} stored, {day} {run:%H:%M %Z}"
