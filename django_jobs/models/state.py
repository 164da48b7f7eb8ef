"""The history: one row for each change of state, after the creation."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .job import STATES, Job


class JobState(models.Model):
    """A state that a job entered. Written in the same statement as the change, for the same jobs."""

    id = models.BigAutoField(primary_key=True)
    # No constraint: its check would cost every change a look-up; whoever deletes jobs deletes their history first.
    job = models.ForeignKey(
        Job, verbose_name=_("job"), on_delete=models.CASCADE, related_name="states", db_constraint=False
    )
    name = models.CharField(_("state"), max_length=12, choices=STATES)
    reason = models.CharField(_("reason"), max_length=200, default="", blank=True)
    created_at = models.DateTimeField(_("at"))
    run = models.PositiveIntegerField(_("run"), default=0)
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        verbose_name = _("state change")
        verbose_name_plural = _("state changes")
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.created_at:%Y-%m-%d %H:%M:%S}"
