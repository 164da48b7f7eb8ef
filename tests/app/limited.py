"""Sample jobs with limits and unique keys."""

from __future__ import annotations

import time
from datetime import timedelta

from django_jobs import JobContext, RateLimit, Retry, clock, job
from tests.app.models import Span


def record(ctx: JobContext, name: str, seconds: float) -> None:
    """Leave a row of when the run was inside, for tests that look for overlaps."""
    span = Span.objects.create(name=name, job=ctx.id, began=clock.now())
    time.sleep(seconds)
    Span.objects.filter(pk=span.pk).update(ended=clock.now())


@job("tests.two_at_once", max_concurrency=2, takes_context=True)
def two_at_once(ctx: JobContext, seconds: float = 0) -> None:
    record(ctx, "two", seconds)


@job("tests.one_per_customer", concurrency_key="customer-{customer}", takes_context=True)
def one_per_customer(ctx: JobContext, customer: str, seconds: float = 0) -> None:
    record(ctx, customer, seconds)


@job("tests.three_in_two_seconds", rate_limit=RateLimit(3, per=2, sliding=True), takes_context=True)
def three_in_two_seconds(ctx: JobContext) -> None:
    record(ctx, "sliding", 0)


@job("tests.two_per_window", rate_limit=RateLimit(2, per=1, key="{customer}"), takes_context=True)
def two_per_window(ctx: JobContext, customer: str) -> None:
    record(ctx, customer, 0)


@job("tests.once_for_its_arguments", unique=True)
def once_for_its_arguments(x: int, y: int = 0) -> int:
    return x + y


@job("tests.once_an_hour", unique="report-{day}", unique_for=timedelta(hours=1))
def once_an_hour(day: str) -> None: ...


@job("tests.refuses_twins", unique="twin-{name}", on_duplicate="raise")
def refuses_twins(name: str) -> None: ...


@job("tests.fails_but_is_unique", unique="only", retry=Retry(attempts=1, delays=[0]))
def fails_but_is_unique() -> None:
    raise ValueError("broken")
