"""What the services hear over the message broker."""

from __future__ import annotations

from datetime import timedelta

from django.utils.dateparse import parse_datetime

from django_jobs.contrib.broker import Event, on_event

from ..models import Invoice
from .sales import send_invoice_notification, send_invoice_reminder


@on_event("InvoiceCreated")
def invoice_created(event: Event) -> None:
    """Schedule the reminder for the day before it is due, and tell the resident at once.

    What is missing or wrong in the event raises, so it is refused with a log instead of being half done.
    """
    invoice = Invoice.objects.get(pk=event.data["InvoiceId"])
    due = parse_datetime(event.data["DueDate"])
    if due is None or due.tzinfo is None:
        raise ValueError(f"DueDate is {event.data['DueDate']!r:.60}; give a time with its zone, in ISO 8601 form")
    reminder = send_invoice_reminder.using(unique_key=f"reminder-{invoice.pk}")
    reminder.schedule(due - timedelta(days=1), invoice.pk)
    send_invoice_notification.enqueue(invoice.pk)
