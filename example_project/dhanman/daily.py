"""What happens at Dhanman on a usual day. Each event enqueues jobs, in the transaction of its own rows."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from . import commands, seed
from .jobs.sales import generate_bulk_invoices, process_invoice, process_payment
from .models import Invoice, Payment, Resident

KEPT = 60
"""Residents at most: whoever came first moves out, with his invoices."""
INVOICES_KEPT = 500
BULK = 12


def a_resident_moves_in() -> str:
    name = random.choice(seed.NAMES)
    resident, job = commands.register(name, f"{secrets.token_hex(4)}@dhanman.example", f"D-{random.randint(1, 99)}")
    oldest = Resident.objects.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1].first()
    Resident.objects.filter(pk__lte=oldest or 0).delete()
    return f"{resident} moves in: job {job.pk}"


def an_invoice_is_written() -> str:
    """Create → ledger → notify. It is due tomorrow in a minute or two, so that its reminder comes while you look."""
    with transaction.atomic():
        resident = random.choice(list(Resident.objects.all()[:KEPT]))
        due = timezone.now() + timedelta(hours=24, seconds=random.randint(30, 120))
        facts = {"amount": Decimal(random.randint(200, 9000)), "due_at": due}
        invoice = Invoice.objects.create(resident=resident, period=f"extra-{secrets.token_hex(4)}", **facts)
        last = process_invoice(invoice)
    oldest = Invoice.objects.order_by("-pk").values_list("pk", flat=True)[INVOICES_KEPT : INVOICES_KEPT + 1].first()
    Invoice.objects.filter(pk__lte=oldest or 0).delete()
    return f"an invoice for {resident}: three jobs up to {last.pk}"


def an_invoice_is_paid() -> str:
    """The bank's gateway is busy now and then: the job is tried again a minute later."""
    invoice = Invoice.objects.exclude(status__in=[Invoice.Status.PAID, Invoice.Status.DRAFT]).first()
    if invoice is None:
        return "nobody owes anything"
    with transaction.atomic():
        reference = f"UPI-{secrets.token_hex(6)}"
        payment = Payment.objects.create(invoice=invoice, amount=invoice.total, reference=reference)
        job = process_payment.enqueue(payment)
    return f"{invoice} is paid: job {job.pk}"


def an_invoice_is_approved() -> str:
    invoice = Invoice.objects.filter(approved_at=None).exclude(status=Invoice.Status.DRAFT).first()
    if invoice is None:
        return "nothing is left to approve"
    invoice, job = commands.approve_invoice(invoice.pk, User.objects.filter(username="dhanman-admin").first())
    return f"{invoice} is approved: job {job.pk}"


def invoices_are_written_in_bulk() -> str:
    residents = list(Resident.objects.filter(active=True).values_list("pk", flat=True)[:BULK])
    batch = generate_bulk_invoices(f"bulk-{timezone.now():%d-%H%M%S}", residents)
    return f"invoices for {len(residents)} residents: batch {batch.pk}"


def a_guest_comes() -> str:
    return f"{seed.guest()} comes"


EVENTS: dict[Callable[[], str], int] = {
    a_resident_moves_in: 2,
    an_invoice_is_written: 4,
    an_invoice_is_paid: 3,
    an_invoice_is_approved: 1,
    invoices_are_written_in_bulk: 1,
    a_guest_comes: 1,
}
"""What may happen, and how often compared to the rest."""
