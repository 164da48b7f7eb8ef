"""Inventory service: stock."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Sum

from ..models import StockItem
from ..policy import OFFICE, mail, scheduled, service_job, today
from .common import keep_report


@scheduled("check-low-stock-alerts")
@service_job("dhanman.check_low_stock", queue="low-priority")
def check_low_stock() -> list[str]:
    """Tell the office what is to be ordered, once a day."""
    low = StockItem.objects.filter(expired=False, quantity__lt=F("reorder_level")).exclude(alerted_on=today())
    rows = list(low)
    if rows:
        text = "\n".join(f"{row.name}: {row.quantity} of {row.reorder_level}" for row in rows)
        mail(OFFICE, f"{len(rows)} item(s) run low", text)
        StockItem.objects.filter(pk__in=[row.pk for row in rows]).update(alerted_on=today())
    return [row.name for row in rows]


@scheduled("generate-stock-report")
@service_job("dhanman.stock_report", queue="low-priority")
def stock_report() -> dict[str, Any]:
    """What is in store, and what it is worth."""
    good = StockItem.objects.filter(expired=False)
    sums = good.aggregate(items=Count("pk"), pieces=Sum("quantity"), worth=Sum(F("quantity") * F("price")))
    worth = Decimal(sums["worth"] or 0).quantize(Decimal("0.01"))
    facts = {"items": sums["items"], "pieces": sums["pieces"] or 0, "worth": str(worth)}
    keep_report("stock", facts)
    return facts


@scheduled("expire-items-check")
@service_job("dhanman.expire_items", queue="low-priority")
def expire_items() -> int:
    """Mark what must not be used any more."""
    return StockItem.objects.filter(expired=False, expires_on__lt=today()).update(expired=True)
