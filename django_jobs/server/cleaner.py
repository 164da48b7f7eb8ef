"""The leader's housekeeping: expired jobs are deleted in small batches, counters are folded."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connections
from django.db.models import Count, Exists, OuterRef, Q

from .. import clock, states
from ..conf import settings
from ..models import (
    Alert,
    Batch,
    BatchCount,
    Breach,
    Checkpoint,
    ConsoleLine,
    Counter,
    IdempotencyKey,
    Job,
    JobDependency,
    JobState,
    Metadata,
    Progress,
    ReceivedEvent,
)
from ..policies import batches
from ..registry import FOR_EVER
from ..transactions import atomic

BATCH = 1000
ROUNDS = 50
"""Most batches of one round, so that the leader's other duties are not held up."""


def clean() -> float | None:
    """Delete jobs, console lines and batches that were kept long enough; returns 0 when more are waiting."""
    more = [_is_full(delete) for delete in (_delete_batch, *_OTHERS)]
    return 0.0 if any(more) else None


def _is_full(delete_batch: Callable[[], int]) -> bool:
    """Whether something is left after as many batches as one round may take."""
    return all(delete_batch() == BATCH for _ in range(ROUNDS))


def clean_everything() -> int:
    """Delete all that has expired; returns how many jobs that were."""
    total = 0
    while deleted := _delete_batch():
        total += deleted
    while any(delete() for delete in _OTHERS):
        pass
    return total


def _delete_batch() -> int:
    """Rows that somebody works with are skipped, so that no claim or verb waits for the cleaner."""
    now = clock.now()
    alias = settings.DATABASE
    with atomic():
        skip = connections[alias].features.has_select_for_update_skip_locked
        expired = Job.objects.using(alias).filter(_not_awaited(), expires_at__lte=now, state__in=states.ENDED)
        expired = expired.order_by("expires_at")
        rows = list(expired.select_for_update(skip_locked=skip).values_list("pk", "state", "batch")[:BATCH])
        ids = [pk for pk, *_ in rows]
        for model in (JobState, ConsoleLine, Progress, Metadata, Checkpoint, Breach):
            model._base_manager.using(alias).filter(job_id__in=ids)._raw_delete(alias)
        for of_them in ({"child__in": ids}, {"parent__in": ids}):
            JobDependency.objects.using(alias).filter(**of_them)._raw_delete(alias)
        Job.objects.using(alias).filter(pk__in=ids)._raw_delete(alias)
        _count_departed([state for _, state, _ in rows], now)
        _let_go([batch for _, state, batch in rows if state == states.FAILED and batch is not None])
    return len(rows)


def _not_awaited(as_what: str = "parent") -> Q:
    """No job that has still to end waits for it, or may ask for its result."""
    open_states = set(states.ALL) - states.ENDED
    return ~Q(Exists(JobDependency.objects.filter(**{as_what: OuterRef("pk")}, child__state__in=open_states)))


def _delete_batches() -> int:
    """Delete batches without members, or parts, that are still stored."""
    alias = settings.DATABASE
    with atomic():
        empty = [
            ~Q(Exists(Job.objects.filter(batch=OuterRef("pk")))),
            ~Q(Exists(Batch.objects.filter(parent=OuterRef("pk")))),
        ]
        expired = Batch.objects.using(alias).filter(_not_awaited("batch"), *empty, expires_at__lte=clock.now())
        skip = connections[alias].features.has_select_for_update_skip_locked
        rows = expired.order_by("expires_at").select_for_update(skip_locked=skip)
        ids = list(rows.values_list("pk", flat=True)[:BATCH])
        for model in (BatchCount, JobDependency):
            model._base_manager.using(alias).filter(batch__in=ids)._raw_delete(alias)
        Batch.objects.using(alias).filter(pk__in=ids)._raw_delete(alias)
    return len(ids)


def _delete_lines() -> int:
    """Delete console lines that are kept for a shorter time than their jobs. The oldest have the lowest ids."""
    keep = settings.RETENTION["console"]
    if keep is None or keep >= FOR_EVER:
        return 0
    lines = ConsoleLine.objects.using(settings.DATABASE)
    oldest = dict(lines.order_by("id").values_list("id", "at")[:BATCH])
    until = clock.now() - keep
    return lines.filter(pk__in=[pk for pk, at in oldest.items() if at < until])._raw_delete(settings.DATABASE)


class _History:
    """Deletes old states of jobs, except the newest of each. What stays is not looked at again in each round."""

    AGAIN = timedelta(hours=1)
    """After which it begins anew: a job that has moved since may have left a state behind."""

    def __init__(self) -> None:
        self._after = 0
        self._begun: datetime | None = None

    def __call__(self) -> int:
        keep = settings.RETENTION["history"]
        if keep is None or keep >= FOR_EVER:
            return 0
        now = clock.now()
        if self._begun is None or now - self._begun >= self.AGAIN:
            self._after, self._begun = 0, now
        entries = JobState.objects.using(settings.DATABASE)
        oldest = entries.filter(pk__gt=self._after).order_by("pk").values_list("pk", "created_at")[:BATCH]
        old = [pk for pk, at in oldest if at < now - keep]
        later = entries.filter(job=OuterRef("job"), pk__gt=OuterRef("pk"))
        left = list(entries.filter(Exists(later), pk__in=old).values_list("pk", flat=True))
        entries.filter(pk__in=left)._raw_delete(settings.DATABASE)
        self._after = max(old, default=self._after)
        return len(old)


def _delete_keys() -> int:
    """Delete keys of requests to the REST API that are no longer kept."""
    keys = IdempotencyKey.objects.using(settings.DATABASE)
    old = keys.filter(created_at__lt=clock.now() - IdempotencyKey.KEPT).order_by("created_at")
    return keys.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH]))._raw_delete(settings.DATABASE)


def _delete_events() -> int:
    """Delete the notes of brokers' events that are too old to come again."""
    events = ReceivedEvent.objects.using(settings.DATABASE)
    old = events.filter(received_at__lt=clock.now() - ReceivedEvent.KEPT).order_by("received_at")
    return events.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH]))._raw_delete(settings.DATABASE)


def _delete_alerts() -> int:
    """Delete troubles that have been over for long."""
    over = Alert.objects.using(settings.DATABASE).filter(over_at__lt=clock.now() - Alert.KEPT).order_by("over_at")
    rows = Alert.objects.using(settings.DATABASE).filter(pk__in=list(over.values_list("pk", flat=True)[:BATCH]))
    return rows._raw_delete(settings.DATABASE)


_OTHERS = (_delete_lines, _History(), _delete_batches, _delete_keys, _delete_events, _delete_alerts)


def _count_departed(left: list[str], now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    Counter.objects.using(settings.DATABASE).bulk_create(
        Counter(name=f"{state}.left", hour=hour, value=left.count(state)) for state in states.FINAL if state in left
    )


def _let_go(left: list[int]) -> None:
    """Batches that failed members have left: nobody can decide about these any more, so they count as deleted."""
    if left:
        batches.add({pk: Tally({states.FAILED: -count, states.DELETED: count}) for pk, count in Tally(left).items()})


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
    with atomic():
        skip = connections[alias].features.has_select_for_update_skip_locked
        rows = Counter.objects.using(alias).filter(name=name, hour=hour).order_by("id")
        deltas = rows.select_for_update(skip_locked=skip).values_list("id", "value")[: 10 * BATCH]
        taken = dict(deltas)
        if len(taken) > 1:
            Counter.objects.using(alias).filter(pk__in=taken)._raw_delete(alias)
            if total := sum(taken.values()):
                Counter.objects.using(alias).create(name=name, hour=hour, value=total)
    return len(taken) == 10 * BATCH
