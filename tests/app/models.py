"""What sample jobs leave behind."""

from __future__ import annotations

from django.db import models


class Span(models.Model):
    """A run was inside from `began` to `ended`; it never came out where that is None."""

    name = models.CharField(max_length=100)
    job = models.BigIntegerField()
    began = models.DateTimeField()
    ended = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.began} – {self.ended}"
