"""Counters: append-only deltas, so that no two writers meet on a row."""

from __future__ import annotations

from django.db import models

from .. import clock


class Counter(models.Model):
    """`value` was added to `name` during the hour that begins at `hour`. The sum of the rows is the count."""

    RUNG = "bells rung again"
    DROPPED = "writes dropped"

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=40)
    hour = models.DateTimeField()
    value = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["name", "hour"], name="dj_counter_name")]

    def __str__(self) -> str:
        return f"{self.name} {self.value:+d}"

    @classmethod
    def add(cls, alias: str, name: str, value: int) -> None:
        """Store a delta of this hour."""
        hour = clock.now().replace(minute=0, second=0, microsecond=0)
        cls.objects.using(alias).create(name=name, hour=hour, value=value)
