"""Breaches of service levels. Whoever deletes jobs deletes these rows first: no constraint does."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .job import Job


class Breach(models.Model):
    """A job waited, or ran, longer than its type promises. Each attempt has at most one of each kind."""

    class Kind(models.TextChoices):
        WAIT = "max_wait", _("Waited too long")
        RUN = "max_run", _("Ran too long")

    id = models.BigAutoField(primary_key=True)
    job = models.ForeignKey(
        Job,
        verbose_name=_("job"),
        on_delete=models.CASCADE,
        related_name="breaches",
        db_constraint=False,
        db_index=False,
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    attempt = models.PositiveIntegerField(_("attempt"))
    limit = models.FloatField(_("limit"), help_text=_("Seconds that were promised."))
    seconds = models.FloatField(_("seconds"), help_text=_("Seconds when it was noticed."))
    noticed_at = models.DateTimeField(_("noticed"))

    class Meta:
        verbose_name = _("breach of a service level")
        verbose_name_plural = _("breaches of service levels")
        ordering = ["id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job", "kind", "attempt"], name="dj_breach_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.seconds:.3g} s, promised were {self.limit:g} s"
