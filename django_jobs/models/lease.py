"""Leases: what only one process may do at a time."""

from __future__ import annotations

from django.db import models


class Lease(models.Model):
    """`holder` may do what `name` stands for until `until`; then anyone may take it."""

    name = models.CharField(max_length=50, primary_key=True)
    holder = models.CharField(max_length=150, default="")
    until = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder} until {self.until}"
