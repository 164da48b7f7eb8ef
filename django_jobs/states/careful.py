"""The two ways to claim: in one fast statement what no limit concerns, and with care what is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from .. import clock
from ..conf import settings
from ..models import Batch, Job, Queue
from ..registry import registry
from ..transactions import atomic
from . import AWAITING, ENQUEUED, filters
from .moves import Target, move_set
from .statements import Candidate, Claimed, Statements


def take(store: Statements, ids: Sequence[int], types: Sequence[str], worker: str) -> list[Claimed]:
    """Claim in one statement what no limit concerns; with care what is left, if there is anything."""
    now = clock.now()
    with together(store):
        claimed = _claim_free(store, ids, types, worker, now)
    if len(claimed) < len(ids):
        rest = sorted({*ids} - {job.id for job in claimed})
        claimed += _claim_limited(store, rest, types, worker, now)
    return claimed


def together(store: Statements) -> AbstractContextManager[Any]:
    """A transaction around what is more than one statement: a single one needs no BEGIN and COMMIT of its own."""
    return nullcontext() if store.single else atomic()


def _claim_free(
    store: Statements, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime
) -> list[Claimed]:
    """Claim those of the jobs that no limit concerns."""
    free = types if registry.limited.isdisjoint(types) else [name for name in types if name not in registry.limited]
    return store.claim(ids, free, worker, at, beside=[*settings.QUEUE_LIMITS]) if free else []


def _claim_limited(
    store: Statements, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime
) -> list[Claimed]:
    """Claim those of the jobs that their limits admit; the others become Awaiting, with the reason."""
    with atomic():
        candidates = _lock(ids, types, at)
        if not candidates:
            return []
        waits = filters.admit(candidates, at)
        groups: dict[str, list[int]] = defaultdict(list)
        for job_id, reason in waits.items():
            groups[reason].append(job_id)
        for reason, group in groups.items():
            move_set(Q(pk__in=group, state=ENQUEUED), Target(AWAITING, reason), wait=True, only_ours=True)
        rows = Job.objects.using(settings.DATABASE).filter(pk__in=[job.id for job in candidates])
        rows.filter(limited=False).update(limited=True)
        admitted = [job.id for job in candidates if job.id not in waits]
        claimed = store.claim(admitted, types, worker, at, beside=None) if admitted else []
        if len(claimed) < len(admitted):  # paused or cancelled just now: their slots go back, all bells come again
            transaction.set_rollback(True, using=settings.DATABASE)
            return []
        return claimed


def _lock(ids: Sequence[int], types: Sequence[str], at: datetime) -> list[Candidate]:
    """The jobs that could be claimed; their rows stay locked. Those that somebody else has locked are left out."""
    jobs = Job.objects.using(settings.DATABASE)
    paused = Queue.objects.filter(Queue.paused_at(at), name=OuterRef("queue"))
    rows = jobs.filter(pk__in=ids, state=ENQUEUED, job_type__in=types)
    rows = rows.filter(Q(start_before=None) | Q(start_before__gt=at)).exclude(Exists(paused)).order_by("id")
    rows = rows.exclude(Exists(Batch.objects.filter(pk=OuterRef("batch"), cancelled_at__isnull=False)))
    skip = transaction.get_connection(settings.DATABASE).features.has_select_for_update_skip_locked
    columns = ("id", "job_type", "queue", "priority", "run", "concurrency_key", "args", "kwargs")
    found = rows.select_for_update(skip_locked=skip).values_list(*columns)
    return [Candidate(*row)._replace(run=row[4] + 1) for row in found]
