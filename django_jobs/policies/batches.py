"""Batches: their progress is a sum of deltas, and they end when no member is open any more.

Whoever changes members adds a delta in the same transaction, and looks at the sums after its commit (`look`): of two
last members that end at once, at least the later commit sees both. What a crash left undone, the leader does.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connections, transaction
from django.db.models import Count, QuerySet, Sum

from .. import clock
from ..conf import settings
from ..models import Batch, BatchCount, Job
from ..registry import FOR_EVER
from ..states import DELETED, ENDED, FAILED, SUCCEEDED, VERBS, machine
from ..states.filters import Change, Filter
from ..states.moves import SET_SIZE, Target
from ..transactions import atomic
from . import continuations

FOLD = 1000
"""Most batches that one round folds."""


class Progress(NamedTuple):
    """How many members a batch has, those of its parts included, and how many have ended, by how."""

    total: int = 0
    done: int = 0
    """Succeeded."""
    failed: int = 0
    deleted: int = 0

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.deleted

    @property
    def open(self) -> int:
        """How many still wait or run."""
        return self.total - self.ended

    @property
    def percent(self) -> int:
        """Ended ones, from 0 to 100; only a batch in which nothing is open is at 100."""
        return 100 * self.ended // self.total if self.total else 100


def batches() -> QuerySet[Batch]:
    return Batch.objects.using(settings.DATABASE)


def counts() -> QuerySet[BatchCount]:
    return BatchCount.objects.using(settings.DATABASE)


class Batches(Filter):
    """Counts what becomes of members."""

    def applied(self, changes: Sequence[Change]) -> None:
        tallies: dict[int, Tally[str]] = defaultdict(Tally)
        for change in changes:
            if change.batch is not None and change.was != change.state:
                tallies[change.batch].update(dict.fromkeys(ENDED & {change.state}, 1))
                tallies[change.batch].subtract(dict.fromkeys(ENDED & {change.was}, 1))
        changed = {batch: tally for batch, tally in tallies.items() if any(tally.values())}
        if changed:
            add(changed)


def add(tallies: Mapping[int, Tally[str]]) -> None:
    """Store deltas, for each batch and those that it is part of, in the caller's transaction; look after its commit."""
    wholes = lineage(tallies)
    rows = [
        BatchCount(
            batch_id=whole,
            total=tally["total"],
            succeeded=tally[SUCCEEDED],
            failed=tally[FAILED],
            deleted=tally[DELETED],
        )
        for batch, tally in tallies.items()
        for whole in wholes[batch]
    ]
    counts().bulk_create(rows)
    concerned = {row.batch_id for row in rows}
    transaction.on_commit(lambda: look(concerned), using=settings.DATABASE, robust=True)


def lineage(ids: Iterable[int]) -> dict[int, list[int]]:
    """Each batch with those that it is part of, itself first."""
    parents: dict[int, int | None] = {}
    unknown = set(ids)
    asked = set(unknown)
    while unknown:
        parents |= dict.fromkeys(unknown) | dict(batches().filter(pk__in=unknown).values_list("pk", "parent_id"))
        unknown = {parent for parent in parents.values() if parent is not None} - parents.keys()
    lines: dict[int, list[int]] = {}
    for batch in asked:
        line: list[int] = []
        at: int | None = batch
        while at is not None:
            line.append(at)
            at = parents[at]
        lines[batch] = line
    return lines


def progress(ids: Collection[int]) -> dict[int, Progress]:
    """The progress of each of these batches, as sums of deltas: no member is counted."""
    names = ("total", "succeeded", "failed", "deleted")
    sums = counts().filter(batch__in=ids).values_list("batch_id").order_by()
    found = sums.annotate(*(Sum(name) for name in names))
    return {pk: Progress() for pk in ids} | {pk: Progress(*map(int, numbers)) for pk, *numbers in found}


def _wanted(now: Progress, cancelled: bool) -> str:
    """The state that follows from the sums. A failed member waits for a person, unless its batch was cancelled."""
    if now.open + (0 if cancelled else now.failed) > 0:
        return Batch.State.STARTED
    return Batch.State.SUCCEEDED if now.done == now.total else Batch.State.FINISHED


def look(ids: Collection[int]) -> None:
    """Bring the states of batches up to their sums: end those without an open member, open those that got new ones."""
    sums = progress(ids)
    for pk, state, cancelled_at in batches().filter(pk__in=ids).values_list("pk", "state", "cancelled_at"):
        if _wanted(sums[pk], cancelled_at is not None) != state:
            _update(pk)


def _update(pk: int) -> None:
    """Sum again, with the row locked, and write the state that follows; what waits for that goes on with it."""
    now = clock.now()
    with atomic():
        rows = batches().filter(pk=pk)
        for state, cancelled_at in rows.select_for_update().values_list("state", "cancelled_at"):
            wanted = _wanted(progress([pk])[pk], cancelled_at is not None)
            if wanted == state:
                continue
            ended = wanted != Batch.State.STARTED
            facts = {"finished_at": now if ended else None, "expires_at": _expiry(now) if ended else None}
            rows.update(**{"state": wanted, "state_at": now, **facts})
            if ended:
                continuations.settle({("batch", pk): wanted})


def _expiry(now: datetime) -> datetime | None:
    keep: timedelta | None = settings.RETENTION["batch"]
    return None if keep is None or keep >= FOR_EVER else now + keep


def catch_up() -> bool:
    """What a crash, or a lost event, left undone; whether there may be more of it.

    Batches without an open member end, and members of cancelled ones are cancelled, in sets.
    """
    last = 0
    while page := list(batches().filter(state=Batch.State.STARTED, pk__gt=last).order_by("pk")[:FOLD]):
        look([batch.pk for batch in page])
        last = page[-1].pk
        if any(_cancel_members(batch) for batch in page if batch.cancelled_at is not None):
            return True
    return False


def _cancel_members(batch: Batch) -> bool:
    verb = VERBS["cancel"]
    members = Job.objects.using(settings.DATABASE).filter(batch=batch.pk, state__in=verb.sources)
    ids = list(members.order_by("pk").values_list("pk", flat=True)[:SET_SIZE])
    machine.move(ids, Target(verb.target, cancelled(batch)), expected=verb.sources, strict=False)
    return len(ids) == SET_SIZE


def cancelled(batch: Batch) -> str:
    """The reason of members that are deleted with it."""
    by = f" by {batch.cancelled_by}" if batch.cancelled_by else ""
    return f"Batch #{batch.pk} was cancelled{by}"


def with_parts(pk: int) -> list[int]:
    """A batch, its parts, and theirs: a query for each generation."""
    found, parts = [pk], [pk]
    while parts := list(batches().filter(parent__in=parts).values_list("pk", flat=True)):
        found += parts
    return found


def cancel(pk: int, by: str) -> bool:
    """Cancel a batch and its parts: nothing of them starts any more. It touches no member; the leader hears of it."""
    found = with_parts(pk)
    with atomic():
        rows = batches().filter(pk__in=found, state=Batch.State.STARTED, cancelled_at=None)
        done = rows.update(cancelled_at=clock.now(), cancelled_by=by[:150])
        transaction.on_commit(lambda: look(found), using=settings.DATABASE, robust=True)
        continuations.hurry()
    return bool(done)


def cancelled_among(ids: Collection[int]) -> dict[int, Batch]:
    """Those of the batches that were cancelled."""
    if not ids:
        return {}
    return batches().filter(pk__in=ids, cancelled_at__isnull=False).in_bulk()


def fold() -> float | None:
    """Replace the deltas of each batch by their sum. Readers see the same sums before, during and after."""
    groups = counts().values_list("batch_id").annotate(rows=Count("id")).order_by()
    unfolded = [pk for pk, _ in groups.filter(rows__gt=1)[:FOLD]]
    for pk in unfolded:
        _fold(pk)
    look(unfolded)  # one that ended before the last of these deltas came, is open again
    return 0.0 if len(unfolded) == FOLD else None


def _fold(pk: int) -> None:
    alias = settings.DATABASE
    with atomic():
        skip = connections[alias].features.has_select_for_update_skip_locked
        rows = counts().filter(batch=pk).order_by("id").select_for_update(skip_locked=skip)
        taken = list(rows.values_list("id", "total", "succeeded", "failed", "deleted")[:10_000])
        if len(taken) > 1:
            counts().filter(pk__in=[row[0] for row in taken])._raw_delete(alias)
            total, succeeded, failed, deleted = (sum(column) for column in list(zip(*taken, strict=True))[1:])
            counts().create(batch_id=pk, total=total, succeeded=succeeded, failed=failed, deleted=deleted)
