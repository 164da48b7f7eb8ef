"""What only South can do."""

from __future__ import annotations

from django_jobs import job, recurring


@recurring("south-report", cron="0 7 * * *", description="South's report of the day")
@job("south.report")
def report(day: str = "yesterday") -> str:
    """Report of a day."""
    return f"South, {day}"
