"""What is in store."""

from __future__ import annotations

from django.db import models


class StockItem(models.Model):
    name = models.CharField(max_length=100, unique=True)
    quantity = models.PositiveIntegerField()
    reorder_level = models.PositiveIntegerField(default=10)
    price = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    expires_on = models.DateField(null=True, blank=True)
    expired = models.BooleanField(default=False)
    alerted_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
