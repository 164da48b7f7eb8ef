"""Filters that raise."""

from __future__ import annotations

from collections.abc import Sequence

from django_jobs import Filter
from django_jobs.models import Job
from django_jobs.states.elections import Election
from django_jobs.states.filters import Change


class RaisesAtTheEnd(Filter):
    """For jobs whose first argument is true, whenever one succeeded."""

    states = frozenset({"succeeded"})

    def applied(self, changes: Sequence[Change]) -> None:
        culprits = [change.id for change in changes]
        for args in Job.objects.filter(pk__in=culprits).values_list("args", flat=True):
            if args[0]:
                raise LookupError("always")


class RaisesWhenDue(Filter):
    """Whenever a job is to be enqueued."""

    states = frozenset({"enqueued"})

    def elect(self, election: Election) -> None:
        raise LookupError("always")
