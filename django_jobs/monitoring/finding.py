"""Finding jobs by their numbers. The room `search` finds them by all else."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from ..conf import settings
from ..models import Job

WINDOW = 25_000
"""How many jobs one look without an index sees."""


def jobs() -> QuerySet[Job]:
    """All jobs, newest first."""
    return Job.objects.using(settings.DATABASE)


def get(job_id: int) -> Job:
    """The job; raises Job.DoesNotExist."""
    return jobs().get(pk=job_id)


def states_of(job_ids: Iterable[int]) -> dict[int, str]:
    """The states of these jobs; one that is no longer stored is not among them."""
    return dict(jobs().filter(pk__in=list(job_ids)).order_by().values_list("pk", "state"))


def job_number(text: str) -> int | None:
    """The id that a person typed, as in "12" or "#12"; None for any other text."""
    number = text.strip().removeprefix("#")
    return int(number) if number.isdecimal() and len(number) < 19 else None
