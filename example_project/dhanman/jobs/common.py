"""Common service: residents, tokens, reports, logs, the backup."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db.models import Avg, Count, Sum
from django.template.loader import render_to_string
from django.utils import timezone

from django_jobs import JobContext, doctor, monitoring
from example_project.services import FOLDER

from ..models import Invoice, LogLine, MaintenanceRequest, Payment, RefreshToken, Report, Resident
from ..policy import OFFICE, mail, midnight, scheduled, service_job, today

DIRECTORY = FOLDER / "auth0.json"
"""What Auth0 would answer: a list of users."""
BACKUPS = FOLDER / "backups"
BACKUPS_KEPT = 8
LOGS_KEPT = timedelta(days=30)


@service_job("dhanman.send_welcome_mail")
def send_welcome_mail(resident: Resident) -> str:
    """Greet a new resident, once."""
    if resident.welcomed_at is not None:
        return "was welcomed before"
    mail(resident.email, "Welcome to Dhanman", render_to_string("dhanman/welcome.txt", {"resident": resident}))
    Resident.objects.filter(pk=resident.pk).update(welcomed_at=timezone.now())
    return f"welcomed {resident.name}"


@scheduled("sync-auth0-users")
@service_job("dhanman.sync_auth0_users", queue="low-priority", takes_context=True)
def sync_auth0_users(ctx: JobContext) -> dict[str, int]:
    """Take over names and addresses from the directory, and whoever left it is no longer active."""
    users: list[dict[str, str]] = json.loads(DIRECTORY.read_text()) if DIRECTORY.exists() else []
    now, made = timezone.now(), 0
    for user in ctx.track(users, name="users"):
        facts = {"name": user["name"], "flat": user.get("flat", ""), "active": True, "synced_at": now}
        row, created = Resident.objects.update_or_create(
            email=user["email"], defaults={**facts, "auth0_id": user["user_id"]}
        )
        made += created
        if created:
            send_welcome_mail.enqueue(row)
    gone = Resident.objects.exclude(auth0_id="").exclude(auth0_id__in=[user["user_id"] for user in users])
    return {"users": len(users), "new": made, "left": gone.filter(active=True).update(active=False) if users else 0}


@scheduled("cleanup-expired-tokens")
@service_job("dhanman.cleanup_expired_tokens", queue="low-priority")
def cleanup_expired_tokens() -> int:
    """Delete refresh tokens whose time is over."""
    return RefreshToken.objects.filter(expires_at__lt=timezone.now()).delete()[0]


@scheduled("generate-system-health-report")
@service_job("dhanman.system_health_report", queue="low-priority")
def system_health_report() -> dict[str, Any]:
    """What the doctor finds, with the jobs that wait in each queue."""
    findings = doctor.examine()
    facts = {
        "wrong": [f"{finding.subject}: {finding.found}" for finding in findings if finding.level != "ok"],
        "waiting": {name: str(queue["waiting"]) for name, queue in monitoring.queue_waits().items()},
        "open_requests": MaintenanceRequest.objects.filter(done=False).count(),
    }
    keep_report("health", facts)
    return facts


@scheduled("generate-daily-reports")
@service_job("dhanman.daily_reports", takes_context=True)
def daily_reports(ctx: JobContext) -> dict[str, Any]:
    """Yesterday's invoices and payments, mailed to the office."""
    ctx.log("Starting daily report generation")
    yesterday = today() - timedelta(days=1)
    day = {"gte": midnight(yesterday), "lt": midnight(today())}
    paid = Payment.objects.filter(**{f"taken_at__{end}": moment for end, moment in day.items()})
    facts = {
        "payments": paid.aggregate(count=Count("pk"), total=Sum("amount")),
        "invoices": list(Invoice.objects.values("status").annotate(count=Count("pk"), mean=Avg("amount")).order_by()),
    }
    report = keep_report("daily", json.loads(json.dumps(facts, default=str)), yesterday)
    mail(OFFICE, f"Report of {yesterday}", json.dumps(report.facts, indent=2))
    Report.objects.filter(pk=report.pk).update(sent_at=timezone.now())
    ctx.log("Daily reports generated successfully", level="success")
    return dict(report.facts)


def keep_report(kind: str, facts: dict[str, Any], day: Any = None) -> Report:
    """One row for each kind and day, however often it is made."""
    return Report.objects.update_or_create(kind=kind, day=day or today(), defaults={"facts": facts})[0]


@scheduled("cleanup-old-logs")
@service_job("dhanman.cleanup_old_logs", queue="low-priority")
def cleanup_old_logs() -> int:
    """Delete log lines of more than thirty days ago."""
    return LogLine.objects.filter(at__lt=timezone.now() - LOGS_KEPT).delete()[0]


@scheduled("database-backup")
@service_job("dhanman.database_backup", queue="low-priority", timeout=600)
def database_backup() -> str:
    """Write the services' tables to a compressed file; the last eight are kept. `manage.py loaddata` reads it."""
    BACKUPS.mkdir(parents=True, exist_ok=True)
    path = BACKUPS / f"dhanman-{timezone.now():%Y%m%d-%H%M%S}.json.gz"
    unfinished = path.with_name(f"unfinished-{path.name}")
    call_command("dumpdata", "dhanman", output=str(unfinished), verbosity=0)
    unfinished.rename(path)
    for old in _backups()[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)
    return path.name


def _backups() -> list[Path]:
    return sorted(BACKUPS.glob("dhanman-*.json.gz"))
