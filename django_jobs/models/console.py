"""What jobs say while they run. Whoever deletes jobs deletes these rows first: no constraint does."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .job import Job


class ConsoleLine(models.Model):
    """A line that a job wrote in one of its runs. A gap between the numbers of a job's lines is what was left out."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(
        Job,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    run = models.PositiveIntegerField(_("run"))
    number = models.BigIntegerField(_("number"))
    at = models.DateTimeField(_("at"))
    level = models.CharField(_("level"), max_length=10)
    color = models.CharField(_("colour"), max_length=10, default="", blank=True)
    text = models.TextField(_("text"))

    class Meta:
        verbose_name = _("console line")
        verbose_name_plural = _("console lines")
        ordering = ["job", "number"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="dj_console_number")]

    def __str__(self) -> str:
        return self.text


class Progress(models.Model):
    """How far one run of a job is with what the name says; `total` is None while nobody knows it."""

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(
        Job,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    run = models.PositiveIntegerField(_("run"))
    name = models.CharField(_("name"), max_length=100)
    value = models.FloatField(_("value"))
    total = models.FloatField(_("total"), null=True, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("progress")
        verbose_name_plural = _("progress")
        ordering = ["job", "run", "id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "run", "name"], name="dj_progress_name")]

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g}{'' if self.total is None else f' of {self.total:g}'}"

    @property
    def percent(self) -> float | None:
        """From 0 to 100, to one decimal; None while the total is not known."""
        if self.total is None:
            return None
        share = self.value / self.total if self.total > 0 else 1.0
        return round(100 * min(max(share, 0.0), 1.0), 1)


class Metadata(models.Model):
    """What a job keeps about itself beside its result, as one JSON object. `run` is the one that wrote it last."""

    job = models.OneToOneField(
        Job,
        verbose_name=_("job"),
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="+",
        db_constraint=False,
    )
    run = models.PositiveIntegerField(_("run"))
    data = models.JSONField(_("data"), default=dict)

    class Meta:
        verbose_name = _("metadata")
        verbose_name_plural = _("metadata")
        default_permissions = ()

    def __str__(self) -> str:
        return f"metadata of job {self.job_id}"
