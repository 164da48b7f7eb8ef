"""The timetables of the example project, against tables that were written by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import pytest

from django_jobs.cron import Cron
from example_project.dhanman.timetables import SERVICES

pytestmark = pytest.mark.once

ROWS = {row.id: row.cron for rows in SERVICES.values() for row in rows} | {
    "JOB001": "0-59 * * * MON,TUE,WED,THU,FRI",
    "easyjob": "@daily",
    "my-job": "*/5 * * * * *",
}
FROM = datetime(2026, 2, 26, 12, 0, tzinfo=UTC)
"""Thursday, 17:30 in Kolkata and 07:00 in New York. Clocks in New York go forward on 8 March."""

KOLKATA = {
    "sync-auth0-users": ["Thu 26 18:00", "Fri 27 00:00"],
    "cleanup-expired-tokens": ["Fri 27 03:00", "Sat 28 03:00"],
    "generate-system-health-report": ["Fri 27 08:00", "Sat 28 08:00"],
    "generate-daily-reports": ["Fri 27 02:00", "Sat 28 02:00"],
    "cleanup-old-logs": ["Sun 01 00:00", "Sun 08 00:00"],
    "database-backup": ["Thu 26 18:00", "Fri 27 00:00"],
    "generate-monthly-invoices": ["Sun 01 06:00", "Wed 01 06:00"],
    "send-payment-reminders": ["Fri 27 10:00", "Sat 28 10:00"],
    "check-overdue-invoices": ["Thu 26 18:00", "Thu 26 19:00"],
    "calculate-late-fees": ["Fri 27 00:00", "Sat 28 00:00"],
    "send-po-approvals": ["Thu 26 18:00", "Thu 26 20:00"],
    "check-grn-matching": ["Fri 27 09:00", "Sat 28 09:00"],
    "vendor-payment-reminders": ["Mon 02 00:00", "Mon 09 00:00"],
    "process-monthly-salaries": ["Sat 28 23:00", "Tue 31 23:00"],
    "generate-payslips": ["Sun 01 00:00", "Wed 01 00:00"],
    "statutory-compliance-report": ["Mon 02 06:00", "Thu 02 06:00"],
    "attendance-summary": ["Thu 26 18:00", "Fri 27 18:00"],
    "send-event-reminders": ["Fri 27 08:00", "Sat 28 08:00"],
    "expire-visitor-passes": ["Thu 26 18:00", "Thu 26 18:30"],
    "maintenance-request-escalation": ["Thu 26 20:00", "Fri 27 00:00"],
    "check-low-stock-alerts": ["Fri 27 09:00", "Sat 28 09:00"],
    "generate-stock-report": ["Fri 27 17:00", "Fri 06 17:00"],
    "expire-items-check": ["Fri 27 00:00", "Sat 28 00:00"],
    "JOB001": ["Thu 26 17:31", "Thu 26 17:32"],
    "easyjob": ["Fri 27 00:00", "Sat 28 00:00"],
    "my-job": ["Thu 26 17:30", "Thu 26 17:30"],
}
NEW_YORK = {
    "sync-auth0-users": ["Thu 26 12:00", "Thu 26 18:00"],
    "cleanup-expired-tokens": ["Fri 27 03:00", "Sat 28 03:00"],
    "generate-system-health-report": ["Thu 26 08:00", "Fri 27 08:00"],
    "generate-daily-reports": ["Fri 27 02:00", "Sat 28 02:00"],
    "cleanup-old-logs": ["Sun 01 00:00", "Sun 08 00:00"],
    "database-backup": ["Thu 26 12:00", "Thu 26 18:00"],
    "generate-monthly-invoices": ["Sun 01 06:00", "Wed 01 06:00"],
    "send-payment-reminders": ["Thu 26 10:00", "Fri 27 10:00"],
    "check-overdue-invoices": ["Thu 26 08:00", "Thu 26 09:00"],
    "calculate-late-fees": ["Fri 27 00:00", "Sat 28 00:00"],
    "send-po-approvals": ["Thu 26 08:00", "Thu 26 10:00"],
    "check-grn-matching": ["Thu 26 09:00", "Fri 27 09:00"],
    "vendor-payment-reminders": ["Mon 02 00:00", "Mon 09 00:00"],
    "process-monthly-salaries": ["Sat 28 23:00", "Tue 31 23:00"],
    "generate-payslips": ["Sun 01 00:00", "Wed 01 00:00"],
    "statutory-compliance-report": ["Mon 02 06:00", "Thu 02 06:00"],
    "attendance-summary": ["Thu 26 18:00", "Fri 27 18:00"],
    "send-event-reminders": ["Thu 26 08:00", "Fri 27 08:00"],
    "expire-visitor-passes": ["Thu 26 07:30", "Thu 26 08:00"],
    "maintenance-request-escalation": ["Thu 26 08:00", "Thu 26 12:00"],
    "check-low-stock-alerts": ["Thu 26 09:00", "Fri 27 09:00"],
    "generate-stock-report": ["Fri 27 17:00", "Fri 06 17:00"],
    "expire-items-check": ["Fri 27 00:00", "Sat 28 00:00"],
    "JOB001": ["Thu 26 07:01", "Thu 26 07:02"],
    "easyjob": ["Fri 27 00:00", "Sat 28 00:00"],
    "my-job": ["Thu 26 07:00", "Thu 26 07:00"],
}


@pytest.mark.parametrize(("zone", "table"), [("Asia/Kolkata", KOLKATA), ("America/New_York", NEW_YORK)])
def test_every_schedule_of_the_seeds_has_its_next_runs(zone: str, table: dict[str, list[str]]) -> None:
    found = {
        id: [f"{at:%a %d %H:%M}" for at in islice(Cron(cron, zone).iter(FROM), 2)] for id, cron in sorted(ROWS.items())
    }
    assert found == dict(sorted(table.items()))


def test_a_daily_job_of_new_york_keeps_its_hour_when_clocks_change() -> None:
    runs = islice(Cron("0 2 * * *", "America/New_York").iter(datetime(2026, 3, 6, 12, tzinfo=UTC)), 3)
    assert [f"{at:%d %H:%M %Z}" for at in runs] == ["07 02:00 EST", "08 03:00 EDT", "09 02:00 EDT"]
