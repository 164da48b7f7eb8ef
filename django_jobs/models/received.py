"""Events of message brokers that were dealt with, so that one that comes again is known."""

from __future__ import annotations

from datetime import timedelta

from django.db import models


class ReceivedEvent(models.Model):
    """Stored in the same transaction as the jobs that its handler enqueued."""

    KEPT = timedelta(days=30)

    id = models.CharField(primary_key=True, max_length=64)
    """Digest of the event's source and id."""
    event_type = models.CharField(max_length=255)
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()
        verbose_name = "received event"

    def __str__(self) -> str:
        return f"{self.event_type} {self.id[:8]}"
