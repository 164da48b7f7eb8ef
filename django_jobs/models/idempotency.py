"""Keys by which a client of the REST API may send the same request twice."""

from __future__ import annotations

from datetime import timedelta

from django.db import models


class IdempotencyKey(models.Model):
    """What one user asked under one key, and the jobs that this made. Stored in the same transaction as they are."""

    KEPT = timedelta(hours=24)

    id = models.CharField(primary_key=True, max_length=64)
    """Digest of user and key."""
    request = models.CharField(max_length=64)
    """Digest of address and body."""
    jobs = models.JSONField(default=list)
    """Their ids, in order."""
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        verbose_name = "idempotency key"

    def __str__(self) -> str:
        return self.id[:8]
