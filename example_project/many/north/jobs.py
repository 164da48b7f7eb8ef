"""What only North can do."""

from __future__ import annotations

from django_jobs import job, recurring


@recurring("north-report", cron="0 6 * * *", description="North's report of the day")
@job("north.report")
def report(day: str = "yesterday") -> str:
    """Report of a day."""
    return f"North, {day}"
