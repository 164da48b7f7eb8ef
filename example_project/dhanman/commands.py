"""What users ask of the services: each command is one transaction, and its jobs are part of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from django_jobs.models import Job

from .jobs.common import send_welcome_mail
from .jobs.sales import update_related_systems
from .models import Invoice, Resident

LARGEST = Decimal(100_000)
"""What one person may approve."""


class CommandRefused(Exception):
    """A command that the rules of the house do not allow; nothing has happened."""


def register(name: str, email: str, flat: str) -> tuple[Resident, Job]:
    """A new resident, and the job that greets him."""
    with transaction.atomic():
        if Resident.objects.filter(email__iexact=email).exists():
            raise CommandRefused(f"email: {email} is registered already")
        resident = Resident.objects.create(name=name, email=email, flat=flat)
        return resident, send_welcome_mail.enqueue(resident)


def approve_invoice(invoice_id: int, by: Any) -> tuple[Invoice, Job]:
    """Approve an invoice and have the related systems told.

    Approval and job are one transaction: whatever is refused after the job was enqueued takes the job along.
    """
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
        if invoice.approved_at is not None:
            raise CommandRefused(f"{invoice} is approved already")
        invoice.approved_by, invoice.approved_at = by, timezone.now()
        invoice.save(update_fields=["approved_by", "approved_at"])
        job = update_related_systems.using(created_by=by).enqueue(invoice.pk)
        _check_budget(invoice)
    return invoice, job


def _check_budget(invoice: Invoice) -> None:
    if invoice.total > LARGEST:
        raise CommandRefused(f"{invoice} is above {LARGEST}: the committee has to approve it")
