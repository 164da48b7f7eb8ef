"""The services of Dhanman: every recurring job of the handbook, the chain, the batch, the approval."""

from __future__ import annotations

import secrets
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone

from django_jobs import monitoring, schedules
from django_jobs.models import Job
from example_project.dhanman import commands, seed
from example_project.dhanman.jobs import sales
from example_project.dhanman.models import Invoice, Resident
from example_project.dhanman.timetables import ROWS

from . import claim, ended, patience, told

BULK = 10


def resident() -> Resident:
    seed.plant(BULK)
    found = Resident.objects.order_by("pk").first()
    assert found is not None
    return found


def draft(amount: int = 1500) -> Invoice:
    due = timezone.now() + timedelta(days=14)
    period = f"check-{secrets.token_hex(4)}"
    return Invoice.objects.create(resident=resident(), period=period, amount=Decimal(amount), due_at=due)


@claim("Dhanman: every recurring job of its handbook", "23 of 23 succeeded")
def recurring() -> str:
    resident()
    jobs = [ended(schedules.trigger(id)) for id in ROWS]
    wrong = [f"{job.job_type} {job.state}: {job.state_reason}" for job in jobs if job.state != "succeeded"]
    return "; ".join([f"{len(jobs) - len(wrong)} of {len(jobs)} succeeded", *wrong])


@claim("Dhanman: create, ledger, notify", "succeeded: notified; open, 2 entries; reminder 24 h before it is due")
def chain() -> str:
    invoice = draft()
    how = told(sales.process_invoice(invoice), lambda job: str(job.result).split()[0])
    invoice.refresh_from_db()
    reminder = monitoring.jobs().get(unique_key=f"reminder-{invoice.pk}")
    before = invoice.due_at - (reminder.scheduled_at or invoice.due_at)
    reminder.cancel()
    hours = round(before.total_seconds() / 3600)
    return f"{how}; {invoice.status}, {invoice.entries.count()} entries; reminder {hours} h before it is due"


@claim("Dhanman: invoices in bulk", f"succeeded: {BULK} of {BULK} written, 0 failed")
def bulk() -> str:
    resident()
    period = f"check-{secrets.token_hex(4)}"
    batch = sales.generate_bulk_invoices(period, list(Resident.objects.values_list("pk", flat=True)[:BULK]))
    batch = batch.wait(patience())
    count = Invoice.objects.filter(period=period).count()
    return f"{batch.state}: {count} of {batch.progress.total} written, {batch.progress.failed} failed"


@claim("Dhanman: an approval, and one that is refused", "succeeded: exported; refused, no job")
def approval() -> str:
    clerk, _ = User.objects.get_or_create(username="checks", defaults={"is_superuser": True})
    good, dear = draft(), draft(amount=900_000)
    _, job = commands.approve_invoice(good.pk, clerk)
    how = told(job, lambda job: "exported" if Invoice.objects.get(pk=good.pk).exported_at else "not exported")
    try:
        commands.approve_invoice(dear.pk, clerk)
    except commands.CommandRefused:
        left = Job.objects.filter(job_type=job.job_type, pk__gt=job.pk).exists()
        return f"{how}; refused, {'a job' if left else 'no job'}"
    return f"{how}; approved"
