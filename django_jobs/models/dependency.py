"""The graph of continuations: one row for each edge."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .batch import Batch
from .job import Job


class JobDependency(models.Model):
    """The job `child` waits for a job (`parent`) or a batch. `met` is None until that one has ended."""

    class On(models.TextChoices):
        SUCCEEDED = "succeeded", _("on success")
        ANY = "any", _("on any end")
        DELETED = "deleted", _("when deleted")

    id = models.BigAutoField(primary_key=True)
    # A parent that was deleted past us leaves its edges: the leader finds them, and counts it as Deleted.
    # No constraints: an INSERT in a caller's long transaction must not lock the row of a parent that others work with.
    child = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="waits_for", db_constraint=False)
    parent = models.ForeignKey(
        Job, null=True, on_delete=models.DO_NOTHING, related_name="followed_by", db_constraint=False
    )
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.DO_NOTHING, related_name="followed_by", db_constraint=False
    )
    on = models.CharField(max_length=12, choices=On.choices, default=On.SUCCEEDED)
    met = models.BooleanField(null=True)
    delay = models.FloatField(null=True)
    """Seconds from the release until the child is due."""
    expires = models.FloatField(null=True)
    """Seconds from when it is due, within which the child must have started."""

    class Meta:
        default_permissions = ()
        verbose_name = _("continuation")

    def __str__(self) -> str:
        return f"{self.child_id} after {self.parent_id or f'batch {self.batch_id}'}"
