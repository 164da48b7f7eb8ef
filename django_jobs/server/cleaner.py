"""The leader's housekeeping: expired jobs are deleted in small batches, counters are folded."""

from __future__ import annotations

from datetime import datetime

from django.db import connections, transaction
from django.db.models import Count

from .. import clock, states
from ..conf import settings
from ..models import Counter, Job, JobState

BATCH = 1000
ROUNDS = 50
"""Most batches of one round, so that the leader's other duties are not held up."""


def clean() -> float | None:
    """Delete jobs that were kept long enough, with their history; returns 0 when more are waiting."""
    for _ in range(ROUNDS):
        if _delete_batch() < BATCH:
            return None
    return 0.0


def clean_everything() -> int:
    """Delete all that has expired; returns how many jobs that were."""
    total = 0
    while deleted := _delete_batch():
        total += deleted
    return total


def _delete_batch() -> int:
    """Rows that somebody works with are skipped, so that no claim or verb waits for the cleaner."""
    now = clock.now()
    alias = settings.DATABASE
    with transaction.atomic(using=alias):
        skip = connections[alias].features.has_select_for_update_skip_locked
        expired = Job.objects.using(alias).filter(expires_at__lte=now, state__in=states.ENDED).order_by("expires_at")
        rows = list(expired.select_for_update(skip_locked=skip).values_list("pk", "state")[:BATCH])
        ids = [pk for pk, _ in rows]
        JobState.objects.using(alias).filter(job__in=ids)._raw_delete(alias)
        Job.objects.using(alias).filter(pk__in=ids)._raw_delete(alias)
        _count_departed([state for _, state in rows], now)
    return len(rows)


def _count_departed(left: list[str], now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    Counter.objects.using(settings.DATABASE).bulk_create(
        Counter(name=f"{state}.left", hour=hour, value=left.count(state)) for state in states.FINAL if state in left
    )


def fold_counters() -> float | None:
    """Replace the deltas of each name and hour by their sum. Readers see the same sums before, during and after."""
    alias = settings.DATABASE
    groups = Counter.objects.using(alias).values_list("name", "hour").annotate(rows=Count("id")).order_by()
    unfolded = list(groups.filter(rows__gt=1)[:BATCH])
    more = [_fold(name, hour) for name, hour, _ in unfolded]
    return 0.0 if any(more) or len(unfolded) == BATCH else None


def _fold(name: str, hour: datetime) -> bool:
    """Fold one group; whether more of it is left."""
    alias = settings.DATABASE
    with transaction.atomic(using=alias):
        skip = connections[alias].features.has_select_for_update_skip_locked
        rows = Counter.objects.using(alias).filter(name=name, hour=hour).order_by("id")
        deltas = rows.select_for_update(skip_locked=skip).values_list("id", "value")[: 10 * BATCH]
        taken = dict(deltas)
        if len(taken) > 1:
            Counter.objects.using(alias).filter(pk__in=taken)._raw_delete(alias)
            if total := sum(taken.values()):
                Counter.objects.using(alias).create(name=name, hour=hour, value=total)
    return len(taken) == 10 * BATCH
