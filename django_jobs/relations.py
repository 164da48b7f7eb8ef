"""Reads of what belongs together: what a job waits for, what waits for it, and batches."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from django.db.models import QuerySet

from .conf import settings
from .models import Batch, Job, JobDependency
from .policies.batches import Progress
from .policies.batches import progress as sums

SHOWN = 50
"""Most relatives of a kind that a page shows."""


class Link(NamedTuple):
    """An edge, seen from one of its ends: the job or the batch at the other one, as far as that is still stored."""

    on: str
    met: bool | None
    """Whether the condition was met; None until that is known."""
    job: Job | None
    batch: Batch | None


def batches() -> QuerySet[Batch]:
    """All batches, newest first."""
    return Batch.objects.using(settings.DATABASE).order_by("-pk")


def progress(ids: Collection[int]) -> dict[int, Progress]:
    """The progress of each of these batches. No member is counted."""
    return sums(ids) if ids else {}


def parents(job: Job, limit: int = SHOWN) -> list[Link]:
    """What the job waits for, or waited for, as many as `limit`."""
    edges = _edges().filter(child=job.pk).order_by("id")
    return [
        Link(edge.on, edge.met, edge.parent, edge.batch) for edge in edges.select_related("parent", "batch")[:limit]
    ]


def children(of: Job | Batch, limit: int = SHOWN) -> list[Link]:
    """The jobs that wait, or waited, for the job or batch, as many as `limit`."""
    theirs: dict[str, Any] = {"parent": of.pk} if isinstance(of, Job) else {"batch": of.pk}
    edges = _edges().filter(**theirs).order_by("child_id").select_related("child")
    return [Link(edge.on, edge.met, edge.child, None) for edge in edges[:limit]]


def _edges() -> QuerySet[JobDependency]:
    return JobDependency.objects.using(settings.DATABASE)
