"""The shop's jobs: quick and slow ones, one in each queue, one that fails now and then."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from django_jobs import JobContext, Retry, job
from example_project.services import CATALOGUES, MAIL

from .models import Customer, Invoice, Product

logger = logging.getLogger(__name__)

KEPT = 500
"""Customers that `tidy` leaves."""
CATALOGUES_KEPT = 20
"""Catalogues that `tidy` leaves, with their products."""

PAGES = 20
"""Pages of a report."""


class PaymentDeclined(Exception):
    """The bank said no."""


CARD = Retry(attempts=2, delays=[5, 20], only_on=[PaymentDeclined])
"""A declined card is tried twice more; then somebody has to look."""


@job("shop.send_welcome_mail", queue="critical", timeout=30)
def send_welcome_mail(customer: Customer) -> None:
    """Greet a new customer."""
    send_mail("Welcome!", f"Dear {customer.name}, welcome to the shop.", None, [customer.email])
    customer.welcomed_at = timezone.now()
    customer.save(update_fields=["welcomed_at"])


@job("shop.create_invoice")
def create_invoice(customer: Customer, amount: Decimal, days: int = 14) -> int:
    """Write an invoice and have its reminder sent later; the result is the invoice's number."""
    due = timezone.now() + timedelta(days=days)
    invoice = Invoice.objects.create(customer=customer, amount=amount, due_at=due)
    remind.schedule(timedelta(seconds=random.randint(20, 90)), invoice)
    return int(invoice.pk)


@job("shop.remind")
def remind(invoice: Invoice) -> str:
    """Remind of an invoice. In this shop the payment term is about a minute."""
    send_mail("Reminder", f"Please pay {invoice.amount}.", None, [invoice.customer.email])
    invoice.reminded_at = timezone.now()
    invoice.save(update_fields=["reminded_at"])
    return f"reminded {invoice.customer}"


@job("shop.make_thumbnail", queue="low-priority", expires=timedelta(minutes=10))
def make_thumbnail(picture: int, size: int = 64) -> str:
    """Compute a small picture, and return its checksum: a little work for the processor."""
    pixels = bytes((x * y * picture) % 256 for x in range(size) for y in range(size))
    return hashlib.sha256(pixels).hexdigest()[:16]


@job("shop.charge_card", queue="critical", ack="each", retry=CARD)
def charge_card(customer: Customer, amount: Decimal) -> str:
    """Charge a card; the bank declines one in three, and sometimes again when asked later."""
    time.sleep(random.uniform(0.05, 0.3))
    if random.random() < 1 / 3:
        raise PaymentDeclined(f"{customer}: {amount} was declined")
    return f"{amount} charged"


@job("shop.build_report", queue="low-priority", takes_context=True, timeout=60)
def build_report(ctx: JobContext, title: str) -> dict[str, object]:
    """Take two to five seconds, so that there is something to see under Processing."""
    seconds = round(random.uniform(2, 5), 1)
    ctx.log(f"The report “{title}” has {PAGES} pages")
    for page in ctx.track(range(1, PAGES + 1), name="pages"):
        time.sleep(seconds / PAGES)
        logger.info("Page %d is set", page)
    ctx.log("Printed and bound", level="success")
    ctx.metadata["pages"] = PAGES
    return {"title": title, "attempt": ctx.attempt, "invoices": Invoice.objects.count(), "seconds": seconds}


@job("shop.import_catalogue", queue="low-priority", takes_context=True)
def import_catalogue(ctx: JobContext, path: str, seconds: float = 0.03) -> dict[str, int]:
    """Import a supplier's catalogue, a while for each row. Paused, killed or moved to another server, it goes on.

    Each product is committed together with the position in the file, so that none is imported twice, or left out.
    """
    records = ctx.iterate(path, csv=True, name="catalogue")
    if ctx.run > 1:
        ctx.log(f"Going on after {records.done} products")
    for record in records:
        with transaction.atomic():
            Product.objects.create(catalogue=Path(path).stem, **record)
            records.save()
        time.sleep(seconds)
    ctx.log("All products are imported", "success")
    return {"products": records.done}


@job("shop.fetch_rates")
async def fetch_rates(*currencies: str) -> dict[str, float]:
    """Ask for several exchange rates at a time. (The bank is played by a sleep.)"""
    rates = await asyncio.gather(*[_rate(currency) for currency in currencies])
    return dict(zip(currencies, rates, strict=True))


async def _rate(currency: str) -> float:
    await asyncio.sleep(random.uniform(0.05, 0.2))
    return round(random.uniform(0.5, 2), 4)


@job("shop.tidy", queue="low-priority")
def tidy() -> dict[str, int]:
    """Delete all but the latest customers and mails: the demo may run for weeks."""
    oldest = Customer.objects.values_list("pk", flat=True)[KEPT : KEPT + 1].first()
    deleted = Customer.objects.filter(pk__lte=oldest).delete()[0] if oldest else 0
    mails = sorted(MAIL.glob("*.log"))[:-KEPT]
    for mail in mails:
        mail.unlink(missing_ok=True)
    for catalogue in sorted(CATALOGUES.glob("*.csv"), key=lambda path: path.stat().st_mtime)[:-CATALOGUES_KEPT]:
        deleted += Product.objects.filter(catalogue=catalogue.stem).delete()[0]
        catalogue.unlink(missing_ok=True)
    return {"rows": deleted, "mails": len(mails)}
