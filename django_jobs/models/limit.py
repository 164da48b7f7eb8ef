"""Limits: how many jobs may run at once, or start within a time, and who waits for that."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .fields import PartialIndex


class Limit(models.Model):
    """A limit that was met: whoever takes a slot of it, or gives one to a waiting job, locks this row.

    `key` is the digest of `name`: databases that take "A" for "a" must not mix up two limits.
    """

    key = models.CharField(max_length=40, primary_key=True)
    name = models.CharField(max_length=500)
    maximum = models.PositiveIntegerField()
    """As the last worker knew it: slots are handed out by processes that do not have the code."""
    due_at = models.DateTimeField(null=True)
    """When the leader has to look at those that wait."""

    class Meta:
        default_permissions = ()
        indexes = [PartialIndex(fields=["due_at"], name="dj_limit_due", where=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.name}: {self.maximum}"


class Slot(models.Model):
    """A slot of a limit that a run took: until the job leaves Processing, or until a time, for a rate limit."""

    id = models.BigAutoField(primary_key=True)
    limit = models.CharField(max_length=40)
    job = models.BigIntegerField()
    run = models.PositiveIntegerField()
    until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["limit", "until"], name="dj_slot_limit"),
            models.Index(fields=["job"], name="dj_slot_job"),
        ]

    def __str__(self) -> str:
        return f"job {self.job} of {self.limit}"


class Waiter(models.Model):
    """A job that waits for a slot of a limit. The slot that became free is kept for it from `woken_at` on."""

    job = models.BigIntegerField(primary_key=True)
    limit = models.CharField(max_length=40)
    priority = models.SmallIntegerField()
    woken_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["limit", "-priority", "job"], name="dj_waiter_rank")]

    def __str__(self) -> str:
        return f"job {self.job} for {self.limit}"
