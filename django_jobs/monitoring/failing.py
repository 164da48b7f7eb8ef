"""What failed: jobs that wait for their next attempt, and failed jobs by their cause."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from .. import states
from ..conf import settings
from ..models import Job, JobState
from .finding import WINDOW, jobs
from .telling import cause

FAILURES = 2000
"""How many of the newest failed jobs are grouped."""


def retrying(window: int = WINDOW) -> QuerySet[Job]:
    """Jobs that failed and wait for their next attempt, the next one first, among the next `window` scheduled jobs."""
    scheduled = jobs().filter(state=states.SCHEDULED).order_by("scheduled_at", "id")
    beyond = scheduled.values_list("scheduled_at", flat=True)[window : window + 1].first()
    found = scheduled.filter(failures__gt=0)
    return found if beyond is None else found.filter(scheduled_at__lt=beyond)


@dataclass(frozen=True)
class Cause:
    """Why a job failed: the class of what was raised, and where; or, where nothing was raised, the reason."""

    error: str
    place: str = ""

    @property
    def key(self) -> str:
        return sha256(f"{self.error}\0{self.place}".encode()).hexdigest()[:16]


@dataclass
class FailureGroup:
    """Failed jobs with one cause, the newest first. `reason` is the newest one's, and may quote arguments."""

    cause: Cause
    ids: list[int] = field(default_factory=list)
    job_types: Tally[str] = field(default_factory=Tally)
    first: datetime | None = None
    last: datetime | None = None
    reason: str = ""
    newest: int = 0
    """The job whose reason it is."""

    def add(self, job_id: int, job_type: str, at: datetime, reason: str) -> None:
        self.ids.append(job_id)
        self.job_types[job_type] += 1
        self.first = min(at, self.first or at)
        if self.last is None or at > self.last:
            self.last, self.reason, self.newest = at, reason, job_id


def failure_groups() -> list[FailureGroup]:
    """The newest failed jobs by their cause; the cause that most of them share comes first."""
    newest = jobs().filter(state=states.FAILED).order_by("-id")
    rows = list(newest.values_list("id", "job_type", "state_at", "state_reason")[:FAILURES])
    raised = _raised([row[0] for row in rows])
    groups: dict[Cause, FailureGroup] = {}
    for job_id, job_type, at, reason in rows:
        why = raised.get(job_id) or Cause(cause(states.FAILED, reason))
        groups.setdefault(why, FailureGroup(why)).add(job_id, job_type, at, reason)
    return sorted(groups.values(), key=lambda group: len(group.ids), reverse=True)


def _raised(ids: list[int]) -> dict[int, Cause]:
    """What was raised in the last attempt of each of these jobs; none for those that failed in another way."""
    entries = JobState.objects.using(settings.DATABASE).filter(job__in=ids, name=states.FAILED).order_by("id")
    found = {
        job_id: (error, place or "")
        for job_id, error, place in entries.values_list("job_id", KT("data__exception"), KT("data__place"))
    }
    return {job_id: Cause(error, place) for job_id, (error, place) in found.items() if error}
