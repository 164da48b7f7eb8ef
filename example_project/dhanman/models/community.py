"""Events, visitors, and what is to be mended."""

from __future__ import annotations

from django.db import models

from .common import Resident


class CommunityEvent(models.Model):
    title = models.CharField(max_length=100)
    at = models.DateTimeField(db_index=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.title


class VisitorPass(models.Model):
    """Lets a visitor in once, until it expires."""

    resident = models.ForeignKey(Resident, on_delete=models.CASCADE, related_name="passes")
    visitor = models.CharField(max_length=100)
    valid_until = models.DateTimeField(db_index=True)
    expired = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "visitor passes"

    def __str__(self) -> str:
        return self.visitor


class MaintenanceRequest(models.Model):
    resident = models.ForeignKey(Resident, on_delete=models.CASCADE, related_name="requests")
    what = models.CharField(max_length=200)
    opened_at = models.DateTimeField()
    level = models.PositiveSmallIntegerField(default=0)
    """0 the caretaker, 1 the manager, 2 the committee."""
    escalated_at = models.DateTimeField(null=True, blank=True)
    done = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.what
