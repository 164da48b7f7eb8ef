"""What the history adds up to. Only the leader writes here."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """How many runs of a type in a queue ended so, or began, since the first look; and their seconds, in buckets."""

    class Kind(models.TextChoices):
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        DELETED = "deleted"
        WAIT = "wait"
        LATE = "late"

    id = models.BigAutoField(primary_key=True)
    job_type = models.CharField(max_length=200)
    queue = models.CharField(max_length=100)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    number = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0)
    buckets = models.JSONField(default=list)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["job_type", "queue", "kind"], name="dj_tally_once")]

    def __str__(self) -> str:
        return f"{self.job_type} in {self.queue}: {self.number} {self.kind}"


class Bookmark(models.Model):
    """How far somebody has read the history. `place` is JSON text; an update names the place that it leaves."""

    name = models.CharField(max_length=50, primary_key=True)
    place = models.TextField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.place:.60}"
