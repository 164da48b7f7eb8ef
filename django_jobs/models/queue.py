"""Queues, as far as people steer them. A queue without a row is as `RQ_QUEUES` has it, and not paused."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Queue(models.Model):
    """A queue that was paused or limited once. No server claims its jobs while it is paused, until `paused_until`."""

    name = models.CharField(_("name"), max_length=100, primary_key=True)
    paused = models.BooleanField(_("paused"), default=False)
    paused_until = models.DateTimeField(_("paused until"), null=True, blank=True)
    max_concurrency = models.PositiveIntegerField(_("jobs at once"), null=True, blank=True)
    """Over all servers; None takes the setting QUEUE_LIMITS."""
    rate_limit = models.CharField(_("rate limit"), max_length=60, default="", blank=True)
    """As in "10/m"; empty takes the setting QUEUE_LIMITS."""
    changed_at = models.DateTimeField(_("changed"))
    changed_by = models.CharField(_("changed by"), max_length=150, default="", blank=True)

    class Meta:
        verbose_name = _("queue")
        verbose_name_plural = _("queues")
        ordering = ["name"]
        default_permissions = ("view", "change")
        permissions = [
            ("pause_queue", _("Can pause and resume queues")),
            ("purge_queue", _("Can purge queues")),
        ]

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def paused_at(now: datetime) -> Q:
        """The condition under which a queue is paused at that time."""
        return Q(paused=True) & (Q(paused_until=None) | Q(paused_until__gt=now))
