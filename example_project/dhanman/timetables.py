"""When the services of a housing-society suite do their work: the tables of its handbook, as data."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A line of a table: the recurring job's id, its cron expression, and what it is for."""

    id: str
    cron: str
    purpose: str


SERVICES: dict[str, list[Row]] = {
    "common": [
        Row("sync-auth0-users", "0 */6 * * *", "Sync user data from Auth0"),
        Row("cleanup-expired-tokens", "0 3 * * *", "Remove expired refresh tokens"),
        Row("generate-system-health-report", "0 8 * * *", "System health metrics report"),
        Row("generate-daily-reports", "0 2 * * *", "Daily report generation at 2 AM"),
        Row("cleanup-old-logs", "0 0 * * SUN", "Cleanup old logs every Sunday at midnight"),
        Row("database-backup", "0 */6 * * *", "Database backup every 6 hours"),
    ],
    "sales": [
        Row("generate-monthly-invoices", "0 6 1 * *", "Auto-generate recurring invoices"),
        Row("send-payment-reminders", "0 10 * * *", "Remind customers of due payments"),
        Row("check-overdue-invoices", "0 * * * *", "Mark invoices as overdue"),
        Row("calculate-late-fees", "0 0 * * *", "Apply late fees to overdue invoices"),
    ],
    "purchase": [
        Row("send-po-approvals", "0 */2 * * *", "Notify pending PO approvals"),
        Row("check-grn-matching", "0 9 * * *", "Match GRNs with POs"),
        Row("vendor-payment-reminders", "0 0 * * MON", "Remind of vendor payment schedules"),
    ],
    "payroll": [
        Row("process-monthly-salaries", "0 23 L * *", "Calculate and process salaries"),
        Row("generate-payslips", "0 0 1 * *", "Generate PDF payslips"),
        Row("statutory-compliance-report", "0 6 2 * *", "Generate compliance reports"),
        Row("attendance-summary", "0 18 * * *", "Calculate daily attendance"),
    ],
    "community": [
        Row("send-event-reminders", "0 8 * * *", "Remind residents of upcoming events"),
        Row("expire-visitor-passes", "*/30 * * * *", "Expire one-time visitor passes"),
        Row("maintenance-request-escalation", "0 */4 * * *", "Escalate pending maintenance requests"),
    ],
    "inventory": [
        Row("check-low-stock-alerts", "0 9 * * *", "Alert for items below reorder level"),
        Row("generate-stock-report", "0 17 * * FRI", "Weekly inventory report"),
        Row("expire-items-check", "0 0 * * *", "Mark expired inventory items"),
    ],
}
ROWS: dict[str, Row] = {row.id: row for rows in SERVICES.values() for row in rows}
ZONE = "Asia/Kolkata"
