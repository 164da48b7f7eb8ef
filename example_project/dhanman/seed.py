"""A small society to begin with, and a little of its daily life. Random, but for the first residents."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from .jobs.common import DIRECTORY
from .models import (
    Attendance,
    CommunityEvent,
    Employee,
    GoodsReceipt,
    Invoice,
    LogLine,
    MaintenanceRequest,
    PurchaseOrder,
    RefreshToken,
    Resident,
    StockItem,
    Vendor,
    VendorPayment,
    VisitorPass,
)
from .policy import today

NAMES = ("Asha Rao", "Vikram Iyer", "Meera Nair", "Farhan Khan", "Lakshmi Menon", "Rohan Shah", "Zoya Ali", "Arjun Das")
STOCK = (("Light bulbs", 40, 15), ("Chlorine", 4, 10), ("Paint", 12, 5), ("Fire extinguishers", 9, 8))


def plant(residents: int = 24) -> bool:
    """Fill empty tables; False where somebody lives there already."""
    with transaction.atomic():
        if Resident.objects.exists():
            return False
        _people(residents)
        _purchases()
        _staff()
        _daily_life()
        return True


def _people(count: int) -> None:
    now = timezone.now()
    rows = [
        Resident(
            name=f"{NAMES[n % len(NAMES)]}{f' {n // len(NAMES) + 1}' if n >= len(NAMES) else ''}",
            email=f"resident{n + 1}@dhanman.example",
            flat=f"{'ABC'[n % 3]}-{100 + n}",
            monthly_dues=Decimal(2000 + 250 * (n % 5)),
        )
        for n in range(count)
    ]
    Resident.objects.bulk_create(rows)
    users = [{"user_id": f"auth0|{row.email}", "name": row.name, "email": row.email, "flat": row.flat} for row in rows]
    DIRECTORY.parent.mkdir(parents=True, exist_ok=True)
    DIRECTORY.write_text(json.dumps(users))
    people = list(Resident.objects.all()[:6])
    RefreshToken.objects.bulk_create(
        RefreshToken(resident=row, digest=f"{n:064}", expires_at=now + timedelta(days=n - 3))
        for n, row in enumerate(people)
    )
    late = [
        Invoice(
            resident=row,
            period="opening",
            number=f"INV-opening-{row.pk}",
            amount=row.monthly_dues,
            status=Invoice.Status.OPEN,
            due_at=now - timedelta(days=n),
        )
        for n, row in enumerate(people, 1)
    ]
    Invoice.objects.bulk_create(late)


def _purchases() -> None:
    now = timezone.now()
    vendor = Vendor.objects.create(name="Lifts & Co", email="lifts@vendor.example")
    orders = [PurchaseOrder(vendor=vendor, number=f"PO-{n}", amount=1000 * n, approved=n > 1) for n in (1, 2, 3)]
    PurchaseOrder.objects.bulk_create(orders)
    receipts = [("PO-2", 2000), ("PO-3", 2999), ("PO-9", 1)]
    GoodsReceipt.objects.bulk_create(
        GoodsReceipt(order_number=number, amount=amount, received_at=now) for number, amount in receipts
    )
    VendorPayment.objects.create(vendor=vendor, amount=2000, due_on=today() + timedelta(days=3))
    StockItem.objects.bulk_create(
        StockItem(name=name, quantity=quantity, reorder_level=level, price=50, expires_on=today() + timedelta(days=-n))
        for n, (name, quantity, level) in enumerate(STOCK, -3)
    )


def _staff() -> None:
    staff = [
        Employee.objects.create(name=name, email=f"{name.lower()}@dhanman.example", monthly_salary=30_000)
        for name in ("Ramesh", "Sunita", "Joseph")
    ]
    Attendance.objects.bulk_create(
        Attendance(employee=employee, day=today() - timedelta(days=back), hours=8)
        for employee in staff[:2]
        for back in range(62)
    )


def _daily_life() -> None:
    now = timezone.now()
    people = list(Resident.objects.all()[:4])
    CommunityEvent.objects.create(title="Diwali in the courtyard", at=now + timedelta(days=1))
    VisitorPass.objects.bulk_create(
        VisitorPass(resident=row, visitor=f"Guest {n}", valid_until=now + timedelta(hours=n - 2))
        for n, row in enumerate(people)
    )
    MaintenanceRequest.objects.bulk_create(
        MaintenanceRequest(resident=row, what=f"Lift {n} is stuck", opened_at=now - timedelta(hours=3 * n))
        for n, row in enumerate(people)
    )
    LogLine.objects.bulk_create(LogLine(at=now - timedelta(days=days), text=f"{days} days ago") for days in (1, 29, 31))


def guest() -> VisitorPass:
    """Somebody comes to see a resident."""
    resident = random.choice(list(Resident.objects.all()[:50]))
    until = timezone.now() + timedelta(minutes=random.randint(1, 30))
    return VisitorPass.objects.create(resident=resident, visitor=f"Guest {random.randint(1, 999)}", valid_until=until)
