"""Checkpoints: how far a job had come, apart from its row since they are fat and written often."""

from __future__ import annotations

from django.db import models


class Checkpoint(models.Model):
    """The last checkpoint of a job, made in its run number `run`. `data` is JSON text."""

    job_id = models.BigIntegerField(primary_key=True)
    run = models.PositiveIntegerField()
    data = models.TextField()
    made_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"job {self.job_id}, run {self.run}"
