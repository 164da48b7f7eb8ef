"""Vendors, orders, what was delivered, and what is owed."""

from __future__ import annotations

from django.db import models


class Vendor(models.Model):
    name = models.CharField(max_length=100, unique=True)
    email = models.EmailField()

    def __str__(self) -> str:
        return self.name


class PurchaseOrder(models.Model):
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="orders")
    number = models.CharField(max_length=20, unique=True)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    approved = models.BooleanField(default=False)
    asked_at = models.DateTimeField(null=True, blank=True)
    """When somebody was last asked to approve it."""
    received_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.number


class GoodsReceipt(models.Model):
    """A goods received note (GRN): what came, with the number of the order as the vendor wrote it."""

    order_number = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    order = models.ForeignKey(PurchaseOrder, on_delete=models.SET_NULL, null=True, blank=True, related_name="receipts")
    problem = models.CharField(max_length=100, blank=True)
    received_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"receipt {self.pk} of {self.order_number}"


class VendorPayment(models.Model):
    vendor = models.ForeignKey(Vendor, on_delete=models.CASCADE, related_name="payments")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    due_on = models.DateField()
    paid = models.BooleanField(default=False)
    reminded_on = models.DateField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.vendor_id}: {self.amount} on {self.due_on}"
