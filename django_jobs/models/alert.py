"""Troubles that were told of, each while it lasts and for some time after."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _


class Alert(models.Model):
    """A trouble. `open_key` is unique as long as it lasts, so that it is told once; None when it is over."""

    KEPT = timedelta(days=30)

    class Kind(models.TextChoices):
        QUEUE = "queue", _("Queue without servers")
        SERVER = "server", _("Dead server")
        FAILURES = "failures", _("Many runs fail")
        SCHEDULE = "schedule", _("Broken recurring job")
        SLA = "sla", _("Service level broken")

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    subject = models.CharField(_("subject"), max_length=230)
    found = models.CharField(_("found"), max_length=500)
    remedy = models.CharField(_("remedy"), max_length=500, default="", blank=True)
    application = models.CharField(_("application"), max_length=100, default="", blank=True)
    open_key = models.CharField(max_length=250, null=True, unique=True, editable=False)
    since = models.DateTimeField(_("since"))
    seen_at = models.DateTimeField(_("seen"))
    over_at = models.DateTimeField(_("over"), null=True, blank=True)

    class Meta:
        verbose_name = _("alert")
        verbose_name_plural = _("alerts")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.subject}: {self.found}"
