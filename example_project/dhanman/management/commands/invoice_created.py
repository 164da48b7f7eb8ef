"""``manage.py invoice_created ID``: what another service would do that has made an invoice: tell the broker."""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from kombu.connection import Connection

from example_project.dhanman.models import Invoice


class Command(BaseCommand):
    help = "Publish the event InvoiceCreated of an invoice; the same event again under the same --event-id."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("invoice", type=int, metavar="ID", help="id of an invoice")
        parser.add_argument("--event-id", metavar="TEXT", help="default: invoice-ID")

    def handle(self, **options: Any) -> None:
        invoice = Invoice.objects.filter(pk=options["invoice"]).first()
        if invoice is None:
            raise CommandError(f"There is no invoice {options['invoice']}")
        event = {
            "id": options["event_id"] or f"invoice-{invoice.pk}",
            "type": "InvoiceCreated",
            "source": "dhanman.sales",
            "data": {"InvoiceId": invoice.pk, "DueDate": invoice.due_at.isoformat()},
        }
        self._publish(event)
        self.stdout.write(f"Published {event['id']}")

    def _publish(self, event: dict[str, Any]) -> None:
        broker: Any = settings.DJANGO_JOBS["BROKER"]
        url = os.environ.get("DJANGO_JOBS_BROKER_URL") or broker["url"]
        connection = Connection(url, connect_timeout=5, transport_options={"confirm_publish": True})
        try:
            with connection:
                connection.Producer().publish(
                    json.dumps(event).encode(),
                    exchange=broker["exchange"],
                    routing_key=event["type"],
                    content_type="application/cloudevents+json",
                    content_encoding="utf-8",
                    delivery_mode=2,
                )
        except (*connection.connection_errors, *connection.channel_errors) as error:
            raise CommandError(f"{connection.as_uri()} did not take it: {error}") from error
