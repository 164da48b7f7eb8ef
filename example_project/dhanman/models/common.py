"""Who lives there, and what the house knows of itself."""

from __future__ import annotations

from django.db import models


class Resident(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    flat = models.CharField(max_length=20)
    monthly_dues = models.DecimalField(max_digits=10, decimal_places=2, default=2500)
    auth0_id = models.CharField(max_length=64, blank=True)
    active = models.BooleanField(default=True)
    welcomed_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["flat", "name"]

    def __str__(self) -> str:
        return f"{self.name}, {self.flat}"


class RefreshToken(models.Model):
    resident = models.ForeignKey(Resident, on_delete=models.CASCADE, related_name="tokens")
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"token {self.pk}"


class Report(models.Model):
    """What a report found, once for each kind and day."""

    kind = models.CharField(max_length=40)
    day = models.DateField()
    facts = models.JSONField(default=dict)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-day", "kind"]
        constraints = [models.UniqueConstraint(fields=["kind", "day"], name="dhanman_report_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.day}"


class LogLine(models.Model):
    at = models.DateTimeField(db_index=True)
    text = models.CharField(max_length=200)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.text
