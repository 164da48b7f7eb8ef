"""Invoices, the ledger, payments."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models

from .common import Resident


class Invoice(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        OVERDUE = "overdue", "Overdue"
        PAID = "paid", "Paid"

    resident = models.ForeignKey(Resident, on_delete=models.CASCADE, related_name="invoices")
    period = models.CharField(max_length=40)
    """What it is for, such as 2026-11: a resident gets one invoice for each."""
    number = models.CharField(max_length=40, blank=True)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    late_fee = models.DecimalField(max_digits=10, decimal_places=2, default=Decimal(0))
    fee_until = models.DateField(null=True, blank=True)
    """The last day for which a late fee was added."""
    due_at = models.DateTimeField(db_index=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.DRAFT)
    approved_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    exported_at = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        permissions = [("approve_invoice", "Can approve invoices")]
        constraints = [models.UniqueConstraint(fields=["resident", "period"], name="dhanman_invoice_once")]

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"

    @property
    def total(self) -> Decimal:
        return self.amount + self.late_fee


class LedgerEntry(models.Model):
    """One side of a posting; an invoice is posted to an account once."""

    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="entries")
    account = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    """Debit above zero, credit below."""
    posted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "ledger entries"
        constraints = [models.UniqueConstraint(fields=["invoice", "account"], name="dhanman_posted_once")]

    def __str__(self) -> str:
        return f"{self.account} {self.amount}"


class Payment(models.Model):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="payments")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    reference = models.CharField(max_length=40, unique=True)
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.reference
