"""Purchase service: approvals, deliveries, what vendors are owed."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ..models import GoodsReceipt, PurchaseOrder, VendorPayment
from ..policy import OFFICE, mail, scheduled, service_job, today

PATIENCE = timedelta(hours=2)
SOON = timedelta(days=7)


@scheduled("send-po-approvals")
@service_job("dhanman.send_po_approvals")
def send_po_approvals() -> int:
    """Ask for the approval of orders that wait for it, in one mail."""
    now = timezone.now()
    asked_lately = {"asked_at__gt": now - PATIENCE + timedelta(minutes=5)}
    waiting = list(PurchaseOrder.objects.filter(approved=False).exclude(**asked_lately).select_related("vendor"))
    if waiting:
        lines = [f"{order.number}: {order.amount} to {order.vendor}" for order in waiting]
        mail(OFFICE, f"{len(waiting)} order(s) to approve", "\n".join(lines))
        PurchaseOrder.objects.filter(pk__in=[order.pk for order in waiting]).update(asked_at=now)
    return len(waiting)


@scheduled("check-grn-matching")
@service_job("dhanman.check_grn_matching")
def check_grn_matching() -> dict[str, int]:
    """Match what was received with what was ordered; what does not fit says why."""
    found = {"matched": 0, "problems": 0}
    orders = {order.number: order for order in PurchaseOrder.objects.filter(approved=True)}
    for receipt in GoodsReceipt.objects.filter(order=None):
        order = orders.get(receipt.order_number)
        receipt.problem = _problem(receipt, order)
        receipt.order = None if receipt.problem else order
        receipt.save(update_fields=["order", "problem"])
        if order and not receipt.problem:
            PurchaseOrder.objects.filter(pk=order.pk).update(received_at=receipt.received_at)
        found["problems" if receipt.problem else "matched"] += 1
    return found


def _problem(receipt: GoodsReceipt, order: PurchaseOrder | None) -> str:
    if order is None:
        return "no approved order has this number"
    return "" if order.amount == receipt.amount else f"ordered for {order.amount}, received for {receipt.amount}"


@scheduled("vendor-payment-reminders")
@service_job("dhanman.vendor_payment_reminders")
def vendor_payment_reminders() -> int:
    """Remind the office of what vendors are to be paid this week."""
    due = VendorPayment.objects.filter(paid=False, due_on__lte=today() + SOON).exclude(reminded_on=today())
    rows = list(due.select_related("vendor").order_by("due_on"))
    if rows:
        text = "\n".join(f"{row.due_on}: {row.amount} to {row.vendor}" for row in rows)
        mail(OFFICE, f"{len(rows)} vendor(s) to pay", text)
        VendorPayment.objects.filter(pk__in=[row.pk for row in rows]).update(reminded_on=today())
    return len(rows)
