"""Servers: every `runjobs` and its child processes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Server(models.Model):
    """A process that is alive as long as its heartbeat is fresh. A row with a parent is a child of that `runjobs`."""

    class Kind(models.TextChoices):
        SUPERVISOR = "supervisor", _("Server")
        WORKER = "worker", _("Worker")
        SCHEDULER = "scheduler", _("Scheduler")

    class Wanted(models.TextChoices):
        QUIET = "quiet", _("Take no new jobs")
        STOP = "stop", _("Stop")

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(_("name"), max_length=150, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    parent = models.ForeignKey(
        "self", verbose_name=_("server"), null=True, blank=True, on_delete=models.CASCADE, related_name="children"
    )
    application = models.CharField(_("application"), max_length=100, default="")
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    version = models.CharField(_("version"), max_length=40, default="")
    queues = models.JSONField(_("queues"), default=list)
    types = models.JSONField(_("job types"), default=list)
    schedules = models.JSONField(_("recurring jobs"), default=list, null=True)
    address = models.CharField(_("address"), max_length=150, default="")
    slots = models.PositiveIntegerField(_("slots"), default=0)
    busy = models.PositiveIntegerField(_("busy"), default=0)
    memory = models.PositiveBigIntegerField(_("memory"), default=0, help_text=_("Resident bytes."))
    cpu = models.FloatField(_("CPU"), default=0, help_text=_("Percent of one core since the last heartbeat."))
    wanted = models.CharField(_("asked to"), max_length=12, choices=Wanted.choices, default="", blank=True)
    started_at = models.DateTimeField(_("started"))
    heartbeat_at = models.DateTimeField(_("last heartbeat"))

    class Meta:
        verbose_name = _("server")
        verbose_name_plural = _("servers")
        ordering = ["name"]
        default_permissions = ("view",)
        permissions = [("stop_server", _("Can stop and quiet servers"))]

    def __str__(self) -> str:
        return self.name
