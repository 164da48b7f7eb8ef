"""New jobs: stored in the caller's transaction, and rung for once it commits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from .. import signals
from ..conf import settings
from ..models import Job
from ..transactions import atomic
from . import ENQUEUED, filters
from .dialects.insertion import insert, insert_unique
from .effects import ring
from .moves import SET_SIZE, parts


def create(jobs: Sequence[Job]) -> Sequence[Job]:
    """Store new jobs in the caller's transaction, and ring for the enqueued ones once it commits."""
    heard = any(filters.chain("created", name) for name in {job.job_type for job in jobs})
    with atomic() if heard or len(jobs) > SET_SIZE else nullcontext():
        for part in parts(jobs):
            insert(settings.DATABASE, part)
        if heard:
            filters.tell_created(jobs)
    signals.announce_created(Job, jobs)
    ring([(job.pk, job.queue, job.priority) for job in jobs if job.state == ENQUEUED])
    return jobs


def create_unique(jobs: Sequence[Job]) -> list[Job]:
    """Store those of new jobs whose key no other job holds; returns these."""
    stored = [job for part in parts(jobs) for job in insert_unique(settings.DATABASE, part)]
    filters.tell_created(stored)
    signals.announce_created(Job, stored)
    ring([(job.pk, job.queue, job.priority) for job in stored if job.state == ENQUEUED])
    return stored
