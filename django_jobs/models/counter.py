"""Counters: append-only deltas, so that no two writers meet on a row."""

from __future__ import annotations

from django.db import models


class Counter(models.Model):
    """`value` was added to `name` during the hour that begins at `hour`. The sum of the rows is the count."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=40)
    hour = models.DateTimeField()
    value = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["name", "hour"], name="dj_counter_name")]

    def __str__(self) -> str:
        return f"{self.name} {self.value:+d}"
