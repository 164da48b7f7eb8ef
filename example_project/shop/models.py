from __future__ import annotations

from typing import ClassVar

from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField()
    welcomed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Customer]] = models.Manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """A line of a supplier's catalogue. Nothing but the import itself keeps it from being there twice."""

    catalogue = models.CharField(max_length=40, db_index=True)
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    imported_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Product]] = models.Manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


class Invoice(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="invoices")
    amount = models.DecimalField(max_digits=10, decimal_places=2)
    created_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Invoice]] = models.Manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Invoice {self.pk}"
