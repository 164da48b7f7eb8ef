"""What happens in the shop. Each event enqueues jobs, in the transaction that writes what they work on."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

from django.db import transaction

from django_jobs import monitoring, states

from . import catalogue
from .jobs import (
    build_report,
    charge_card,
    create_invoice,
    fetch_rates,
    import_catalogue,
    make_thumbnail,
    send_welcome_mail,
    tidy,
)
from .models import Customer

FIRST = ("Ada", "Asha", "Björn", "Chioma", "Diego", "Emine", "Feng", "Grace", "Noor", "Zoë")
LAST = ("Bauer", "Diaz", "Haddad", "Iyer", "Kaya", "Lovelace", "Okafor", "Ōtani", "Rao", "Svensson")


def a_customer_signs_up() -> str:
    """One row and two jobs that exist only if the transaction commits; one of them is delayed."""
    with transaction.atomic():
        customer = _new_customer()
        mail = send_welcome_mail.enqueue(customer)
        invoice = create_invoice.schedule(timedelta(seconds=random.randint(2, 20)), customer, _amount())
    return f"{customer} signed up: jobs {mail.pk}, {invoice.pk}"


def a_customer_gives_up() -> str:
    """The transaction is rolled back, and with it the job."""
    with transaction.atomic():
        customer = _new_customer()
        send_welcome_mail.enqueue(customer)
        transaction.set_rollback(True)
    return f"{customer} left before the end: the job went with the transaction"


def a_card_is_charged() -> str:
    with transaction.atomic():
        customer = Customer.objects.first() or _new_customer()
        job = charge_card.using(priority=random.choice([0, 0, 50])).enqueue(customer, _amount())
    return f"{customer} pays: job {job.pk}"


def pictures_are_uploaded() -> str:
    """Many jobs at once."""
    with transaction.atomic():
        jobs = make_thumbnail.enqueue_many((random.randint(1, 255), size) for size in (32, 64, 128) for _ in range(4))
    return f"{len(jobs)} thumbnails: jobs {jobs[0].pk} to {jobs[-1].pk}"


def a_report_is_asked_for() -> str:
    job = build_report.using(tags=["report"]).enqueue(random.choice(["sales", "stock", "taxes"]))
    return f"a report: job {job.pk}"


def rates_are_asked_for() -> str:
    return f"exchange rates: job {fetch_rates.enqueue('EUR', 'INR', 'JPY').pk}"


def a_catalogue_arrives() -> str:
    """A long job: look at its page while it runs, pause it there, and let it go on."""
    waiting = monitoring.jobs().filter(job_type=import_catalogue.job_type.name).exclude(state__in=states.ENDED)
    if waiting.exists():
        return "a catalogue arrives, but the last one is not imported yet"
    return f"a catalogue is imported: job {import_catalogue.enqueue(str(catalogue.arrives(3000))).pk}"


def the_shop_is_tidied() -> str:
    return f"tidying: job {tidy.enqueue().pk}"


EVENTS: dict[Callable[[], str], int] = {
    a_customer_signs_up: 6,
    a_customer_gives_up: 1,
    a_card_is_charged: 5,
    pictures_are_uploaded: 3,
    a_report_is_asked_for: 2,
    rates_are_asked_for: 2,
    a_catalogue_arrives: 1,
    the_shop_is_tidied: 1,
}
"""What may happen, and how often compared to the rest."""


def _new_customer() -> Customer:
    name = f"{random.choice(FIRST)} {random.choice(LAST)}"
    return Customer.objects.create(name=name, email=f"{name.split()[0].lower()}@example.com")


def _amount() -> Decimal:
    return Decimal(random.randint(500, 90_000)) / 100
