"""Unique jobs: a key belongs to one job from its creation until it ends, or for a time.

The database holds it: `Job.active_key` is unique. It is held through retries, and taken again by a requeue, which is
refused when another job has the key by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError
from django.db.models import F, Q

from .. import clock
from ..conf import settings
from ..exceptions import DuplicateJob
from ..keys import digest
from ..models import Job
from ..states import ENDED
from ..states.filters import Change, Policy
from ..states.machine import create, create_unique
from ..transactions import atomic

ROUNDS = 5
"""How often a key is tried that was taken, and free a moment later."""


def active_key(job_type: str, key: str) -> str:
    """What `Job.active_key` holds: types do not share keys."""
    return digest(job_type, key)


def store(jobs: Sequence[Job], *, on_duplicate: str) -> list[Job]:
    """Store new jobs that have unique keys, in the caller's transaction; for a taken key: the job that holds it.

    Raises DuplicateJob instead where `on_duplicate` is "raise"; nothing is stored then.
    """
    for job in jobs:
        job.active_key = active_key(job.job_type, job.unique_key) if job.unique_key else None
    with atomic():
        if lone := [job for job in jobs if job.active_key is None]:
            create(lone)
        holders = _store({job.active_key: job for job in reversed(jobs) if job.active_key is not None})
        found = [holders[job.active_key] if job.active_key is not None else job for job in jobs]
        if on_duplicate == "raise":
            _refuse_duplicates(jobs, found)
    return found


def _store(first: dict[str, Job]) -> dict[str, Job]:
    """Store the first job of each key; returns who holds each of the keys."""
    holders: dict[str, Job] = {}
    for _ in range(ROUNDS):
        missing = [first[key] for key in sorted(first) if key not in holders]
        holders |= {str(job.active_key): job for job in create_unique(missing)}
        left = [key for key in first if key not in holders]
        if not left:
            return holders
        rows = Job.objects.using(settings.DATABASE).filter(active_key__in=left)
        expired = rows.filter(state__in=ENDED, unique_until__lte=clock.now()).update(active_key=None)
        holders |= {} if expired else {str(job.active_key): job for job in rows}
    raise DuplicateJob(next(job.unique_key for key, job in first.items() if key not in holders))


def _refuse_duplicates(jobs: Sequence[Job], found: Sequence[Job]) -> None:
    for job, stored in zip(jobs, found, strict=True):
        if job is not stored:
            raise DuplicateJob(job.unique_key, None if any(stored is other for other in jobs) else stored)


def rival(job: Job) -> int | None:
    """Id of another job that holds this one's unique key; None for no other."""
    if not job.unique_key:
        return None
    key = active_key(job.job_type, job.unique_key)
    holder = Job.objects.using(settings.DATABASE).filter(active_key=key).exclude(pk=job.pk)
    return holder.values_list("pk", flat=True).first()


class Unique(Policy):
    """Frees the key of a job that has ended, and takes it again for one that is to run anew."""

    def refused(self, changes: Sequence[Change]) -> set[int]:
        ids = [change.id for change in changes if change.was in ENDED and change.state not in ENDED]
        rows = Job.objects.using(settings.DATABASE).filter(pk__in=ids, active_key=None).exclude(unique_key="")
        free = rows.values_list("pk", "job_type", "unique_key") if ids else []
        return {pk for pk, job_type, key in free if not self._take(pk, active_key(job_type, key))}

    def _take(self, job_id: int, key: str) -> bool:
        jobs = Job.objects.using(settings.DATABASE)
        jobs.filter(active_key=key, state__in=ENDED, unique_until__lte=clock.now()).update(active_key=None)
        try:
            with atomic():
                return bool(jobs.filter(pk=job_id).update(active_key=key))
        except IntegrityError:
            return False

    def applied(self, changes: Sequence[Change]) -> None:
        ended = [change.id for change in changes if change.keyed and change.state in ENDED and not change.passing]
        if ended:
            now = clock.now()
            rows = Job.objects.using(settings.DATABASE).filter(pk__in=ended)
            rows.filter(Q(unique_until=None) | Q(unique_until__lte=now)).update(active_key=None)
            held = rows.filter(unique_until__gt=now, expires_at__lt=F("unique_until"))
            held.update(expires_at=F("unique_until"))
