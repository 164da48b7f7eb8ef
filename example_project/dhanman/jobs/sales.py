"""Sales service: invoices from their making to their payment."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from django_jobs import Batch, JobContext
from django_jobs.models import Job

from ..models import Invoice, LedgerEntry, LogLine, Payment, Resident
from ..policy import OFFICE, mail, scheduled, service_job, today

TERM = timedelta(days=14)
LATE_FEE = Decimal("10.00")
"""For each day that an invoice is overdue."""


class GatewayBusy(Exception):
    """The bank's gateway did not answer."""


def process_invoice(invoice: Invoice) -> Job:
    """Create → ledger → notify: each step starts when the one before has succeeded. Returns the last one."""
    created = create_invoice.enqueue(invoice.pk)
    return created.then(update_ledger, invoice.pk).then(send_invoice_notification, invoice.pk)


@service_job("dhanman.create_invoice")
def create_invoice(invoice_id: int) -> str:
    """Number a draft, open it, and see that its reminder comes a day before it is due."""
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().get(pk=invoice_id)
        if invoice.status == Invoice.Status.DRAFT:
            invoice.number = f"INV-{invoice.pk:06}"
            invoice.status = Invoice.Status.OPEN
            invoice.save(update_fields=["number", "status"])
            schedule_invoice_reminder(invoice)
    return invoice.number


def schedule_invoice_reminder(invoice: Invoice) -> Job:
    """24 hours before it is due, or at once where that is over."""
    reminder = send_invoice_reminder.using(unique_key=f"reminder-{invoice.pk}")
    return reminder.schedule(invoice.due_at - timedelta(hours=24), invoice.pk)


@service_job("dhanman.update_ledger", queue="critical")
def update_ledger(invoice_id: int) -> list[str]:
    """Post an invoice: what the resident owes against what the society earns. Posted once, however often it runs."""
    invoice = Invoice.objects.get(pk=invoice_id)
    sides = {"receivable": invoice.amount, "dues": -invoice.amount}
    with transaction.atomic():
        posted = [
            LedgerEntry.objects.get_or_create(invoice=invoice, account=account, defaults={"amount": amount})
            for account, amount in sides.items()
        ]
    return [str(entry) for entry, created in posted if created]


@service_job("dhanman.send_invoice_notification")
def send_invoice_notification(invoice_id: int) -> str:
    """Tell the resident of a new invoice, once."""
    invoice = Invoice.objects.select_related("resident").get(pk=invoice_id)
    if invoice.notified_at is not None:
        return "was notified before"
    text = f"Dear {invoice.resident.name}, invoice {invoice} of {invoice.amount} is due on {invoice.due_at:%d %B}."
    mail(invoice.resident.email, f"Invoice {invoice}", text)
    Invoice.objects.filter(pk=invoice_id).update(notified_at=timezone.now())
    return f"notified {invoice.resident.name}"


@service_job("dhanman.send_invoice_reminder")
def send_invoice_reminder(invoice_id: int) -> str:
    """Remind of an invoice that is due tomorrow, unless it is paid."""
    invoice = Invoice.objects.select_related("resident").get(pk=invoice_id)
    if invoice.status == Invoice.Status.PAID:
        return "paid already"
    mail(invoice.resident.email, "Invoice due tomorrow", f"Your invoice {invoice} is due. Amount: {invoice.total}")
    Invoice.objects.filter(pk=invoice_id).update(reminded_at=timezone.now())
    return f"reminded {invoice.resident.name}"


@service_job("dhanman.process_payment", queue="critical", ack="each", priority=20)
def process_payment(payment: Payment) -> str:
    """Take a payment. The bank's gateway is busy one time in four; the reference keeps it from being taken twice."""
    time.sleep(random.uniform(0.05, 0.2))
    if random.random() < 1 / 4:
        raise GatewayBusy(f"no answer to {payment.reference}")
    with transaction.atomic():
        taken = Payment.objects.filter(pk=payment.pk, taken_at=None).update(taken_at=timezone.now())
        if taken:
            Invoice.objects.filter(pk=payment.invoice_id).update(status=Invoice.Status.PAID)
    return f"{payment.amount} taken" if taken else "taken before"


def generate_bulk_invoices(period: str, residents: list[int]) -> Batch:
    """An invoice for each resident, as one batch with a summary at its end."""
    members = [generate_invoice_for_resident.bind(resident, period) for resident in residents]
    batch = Batch.start(f"Invoices of {period}", members)
    batch.then(send_bulk_summary, batch.pk, period, on="any")
    return batch


@service_job("dhanman.generate_invoice", queue="low-priority")
def generate_invoice_for_resident(resident_id: int, period: str) -> int:
    """Write one resident's invoice of a period, and send it on its way."""
    with transaction.atomic():
        resident = Resident.objects.get(pk=resident_id)
        facts = {"amount": resident.monthly_dues, "due_at": timezone.now() + TERM}
        invoice, created = Invoice.objects.get_or_create(resident=resident, period=period, defaults=facts)
        if created:
            process_invoice(invoice)
    return int(invoice.pk)


@service_job("dhanman.send_bulk_summary")
def send_bulk_summary(batch_id: int, period: str) -> str:
    """Tell the office how a bulk run went."""
    progress = Batch.objects.get(pk=batch_id).progress
    lost = progress.failed + progress.deleted
    told = f"{progress.done} of {progress.total} invoices of {period} were written, {lost} could not be"
    mail(OFFICE, f"Invoices of {period}", told)
    return told


@scheduled("generate-monthly-invoices")
@service_job("dhanman.generate_monthly_invoices")
def generate_monthly_invoices() -> int:
    """Start this month's batch."""
    residents = list(Resident.objects.filter(active=True).values_list("pk", flat=True))
    return int(generate_bulk_invoices(f"{today():%Y-%m}", residents).pk)


@scheduled("send-payment-reminders")
@service_job("dhanman.send_payment_reminders", takes_context=True)
def send_payment_reminders(ctx: JobContext) -> int:
    """Remind of every overdue invoice: a job for each, so that one bad address stops no other."""
    overdue = Invoice.objects.filter(status=Invoice.Status.OVERDUE)
    return len(send_invoice_reminder.enqueue_many((pk,) for pk in overdue.values_list("pk", flat=True)))


@scheduled("check-overdue-invoices")
@service_job("dhanman.check_overdue_invoices")
def check_overdue_invoices() -> int:
    """Mark open invoices whose time is over."""
    late = Invoice.objects.filter(status=Invoice.Status.OPEN, due_at__lt=timezone.now())
    return late.update(status=Invoice.Status.OVERDUE)


@scheduled("calculate-late-fees")
@service_job("dhanman.calculate_late_fees")
def calculate_late_fees() -> int:
    """Add the fee of today to each overdue invoice, once a day."""
    unfined = Invoice.objects.filter(status=Invoice.Status.OVERDUE).exclude(fee_until__gte=today())
    return unfined.update(late_fee=F("late_fee") + LATE_FEE, fee_until=today())


@service_job("dhanman.update_related_systems")
def update_related_systems(invoice_id: int) -> str:
    """After an approval: post the invoice, and give it to the accounting system (a line of the log stands for that)."""
    update_ledger(invoice_id)
    now = timezone.now()
    if Invoice.objects.filter(pk=invoice_id, exported_at=None).update(exported_at=now):
        LogLine.objects.create(at=now, text=f"invoice {invoice_id} was given to accounting")
    return f"invoice {invoice_id} is known everywhere"
