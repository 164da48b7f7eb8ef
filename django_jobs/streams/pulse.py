"""Whether anything has happened, for those who can only ask again and again: a few rows by index."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import OuterRef, Subquery

from .. import feed, monitoring
from ..conf import settings
from ..models import ConsoleLine, Progress


def pulse(jobs: Collection[int] = ()) -> tuple[Any, Any]:
    """Two values: another one after each change of state, and after each word of these jobs.

    Without jobs it is about the states of all.
    """
    if not jobs:
        return [(mark.high, [gap[:2] for gap in mark.gaps]) for mark in feed.now()], None
    lines = ConsoleLine.objects.using(settings.DATABASE).filter(job=OuterRef("pk")).order_by("-number")
    bars = Progress.objects.using(settings.DATABASE).filter(job=OuterRef("pk")).order_by("-at")
    rows = monitoring.jobs().filter(pk__in=jobs).order_by("pk")
    rows = rows.annotate(line=Subquery(lines.values("number")[:1]), bar=Subquery(bars.values("at")[:1]))
    found = list(rows.values_list("pk", "run", "state", "asked", "state_at", "line", "bar"))
    return [row[:5] for row in found], [row[5:] for row in found]
