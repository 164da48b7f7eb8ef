"""Limits: a job over one waits as Awaiting, holds no worker, and is enqueued when a slot becomes free.

Who takes slots of a limit, or gives them to waiting jobs, has its row locked; several are locked in the order of their
keys, after the jobs. Freeing needs no lock: the slots of a run are deleted in the transaction that ends it, and after
the commit the same process looks who is next. If it dies in between, the leader looks.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from .. import clock, events
from ..conf import settings
from ..models import Job, Limit, Slot, Waiter
from ..states import AWAITING, ENDED, ENQUEUED, PROCESSING, SCHEDULED
from ..states.filters import Change, Policy
from ..states.moves import Target, move_set
from ..states.statements import Candidate
from ..transactions import atomic
from .ceilings import Ceiling, ceilings_of, queue_ceilings

KEPT = timedelta(seconds=2)
"""How long a free slot is kept for the job that was woken for it."""
LOOK = timedelta(seconds=10)
"""How often the leader looks at a limit with waiting jobs, should somebody have died before he looked."""
SET = 1000
"""Most jobs that are woken in one transaction."""
UNLIMITED = 2**31 - 1
DUE = 100
"""Most limits that the leader looks at in one transaction."""


class Limits(Policy):
    """Takes slots when jobs are claimed, and frees them when those leave Processing."""

    def admit(self, jobs: Sequence[Candidate], at: datetime) -> dict[int, str]:
        ceilings = ceilings_of(jobs)
        book = Book([one for of_job in ceilings.values() for one in of_job], jobs, at)
        waits: dict[int, Ceiling] = {}
        for job in sorted(jobs, key=lambda job: (job.id not in book.woken, -job.priority, job.id)):
            full = next((one for one in ceilings[job.id] if not book.has_room(one, job)), None)
            if full is None:
                book.take(ceilings[job.id], job)
            else:
                waits[job.id] = full
        book.write(waits)
        return {job_id: one.reason for job_id, one in waits.items()}

    def applied(self, changes: Sequence[Change]) -> None:
        limited = [change for change in changes if change.limited]
        keys = _free([change for change in limited if change.was == PROCESSING])
        keys |= _withdraw([change.id for change in limited if change.state in ENDED or change.state == SCHEDULED])
        back = _limits_of([change.id for change in limited if change.state == AWAITING and change.was != ENQUEUED])
        _remember(back, clock.now())
        _look_later(keys | back)


class Book:
    """What is taken of some limits, read while their rows are locked."""

    def __init__(self, ceilings: Iterable[Ceiling], jobs: Sequence[Candidate], at: datetime) -> None:
        self.at = at
        self.jobs = {job.id: job for job in jobs}
        keys = _lock(ceilings)
        waiters = Waiter.objects.using(settings.DATABASE).filter(job__in=self.jobs)
        lines = list(waiters.values_list("job", "limit", "woken_at"))
        self._before = {job_id: key for job_id, key, _ in lines}
        self._left: set[str] = set()
        """Limits at which slots may have been kept that are not needed any more."""
        self.woken = {job_id for job_id, _, woken_at in lines if woken_at is not None}
        self._taken = Tally(_held(keys, at))
        self._taken.update(_kept(keys, at, besides=self.jobs))
        self._queued = set(_with_waiters(keys, besides=self.jobs))
        self._slots: list[Slot] = []

    def has_room(self, one: Ceiling, job: Candidate) -> bool:
        """Whether the job may start; one that comes later than others that wait joins them."""
        queued = one.key in self._queued and job.id not in self.woken
        return self._taken[one.key] < one.maximum and not queued

    def take(self, ceilings: Iterable[Ceiling], job: Candidate) -> None:
        for one in ceilings:
            self._taken[one.key] += 1
            self._slots.append(Slot(limit=one.key, job=job.id, run=job.run, until=one.until(self.at)))
        if self._before.get(job.id) not in {None, *(one.key for one in ceilings)}:
            self._left.add(self._before[job.id])

    def write(self, waits: dict[int, Ceiling]) -> None:
        """Store the slots that were taken, and who waits."""
        Slot.objects.using(settings.DATABASE).bulk_create(self._slots)
        if self._before:
            Waiter.objects.using(settings.DATABASE).filter(job__in=self._before)._raw_delete(settings.DATABASE)
        Waiter.objects.using(settings.DATABASE).bulk_create(
            Waiter(job=job_id, limit=one.key, priority=self.jobs[job_id].priority) for job_id, one in waits.items()
        )
        # A slot may have become free after we read; one that was kept for a job that now waits elsewhere is free again.
        self._left |= {self._before[job_id] for job_id in waits if job_id in self._before}
        awaited = {one.key for one in waits.values()}
        _remember(awaited, self.at)
        _look_later(self._left | awaited)


def look(keys: Collection[str]) -> None:
    """Wake those who are next at these limits, as many as there are free slots."""
    waiting = sorted(_with_waiters(keys))
    if waiting:
        _look(waiting)


def look_due() -> float | None:
    """The leader's look at limits whose time has come; returns the seconds until the next one's."""
    now = clock.now()
    limits = Limit.objects.using(settings.DATABASE)
    due = list(limits.filter(due_at__lte=now).order_by("due_at").values_list("key", flat=True)[:DUE])
    if due:
        _look(sorted(due))
    nearest = limits.filter(due_at__isnull=False).aggregate(at=Min("due_at"))["at"]
    return None if nearest is None else max(0.0, (nearest - clock.now()).total_seconds())


def retune(name: str) -> None:
    """The limits of a queue were changed: let those who wait for the old ones try again."""
    limits = Limit.objects.using(settings.DATABASE)
    current = {one.key: one.maximum for one in queue_ceilings(name)}
    with atomic():
        rows = _locking(limits.filter(Q(name=f"queue:{name}") | Q(name__startswith=f"queue:{name} ")).order_by("key"))
        keys = list(rows.values_list("key", flat=True))
        for key in keys:
            limits.filter(key=key).update(maximum=current.get(key, UNLIMITED))
    _look_later(keys)


def forget_idle() -> None:
    """Delete what nobody needs: slots of spans that are over, and limits that nobody holds or waits for."""
    alias = settings.DATABASE
    Slot.objects.using(alias).filter(until__lte=clock.now())._raw_delete(alias)
    runs = Job.objects.filter(pk=OuterRef("job"), run=OuterRef("run"), state=PROCESSING)
    lost = Slot.objects.using(alias).filter(~Exists(runs), until=None)  # no way leads here; a limit must not stay full
    if lost_of := set(lost.values_list("limit", flat=True)):
        Slot.objects.using(alias).filter(pk__in=list(lost.values_list("pk", flat=True)))._raw_delete(alias)
        look(lost_of)
    with atomic():
        held, awaited = (Exists(model._base_manager.filter(limit=OuterRef("key"))) for model in (Slot, Waiter))
        idle = Limit.objects.using(alias).exclude(held | awaited)
        keys = list(_locking(idle, skip=True).values_list("key", flat=True)[:1000])
        Limit.objects.using(alias).filter(pk__in=idle.filter(key__in=keys).values_list("key", flat=True)).delete()


def _look(keys: Sequence[str]) -> None:
    with atomic():
        rows = _locking(Limit.objects.using(settings.DATABASE).filter(key__in=keys).order_by("key"))
        limits = list(rows)
        now = clock.now()
        taken = Tally(_held(keys, now))
        taken.update(_kept(keys, now))
        for limit in limits:
            due = _wake(limit, max(0, limit.maximum - taken[limit.key]), now)
            if due != limit.due_at:
                Limit.objects.using(settings.DATABASE).filter(key=limit.key).update(due_at=due)


def _wake(limit: Limit, room: int, now: datetime) -> datetime | None:
    """Enqueue the next ones; returns when to look again, None where nobody waits."""
    waiters = Waiter.objects.using(settings.DATABASE).filter(_awaiting(), limit=limit.key, woken_at=None)
    found = list(waiters.order_by("-priority", "job").values_list("job", flat=True)[: min(room, SET) + 1])
    chosen, more = found[: min(room, SET)], len(found) > min(room, SET)
    moved = []
    if chosen:
        target = Target(ENQUEUED, "Its turn has come")
        moved = move_set(Q(pk__in=chosen, state=AWAITING), target, wait=False, front=True)
        ids = [row.id for row in moved]
        Waiter.objects.using(settings.DATABASE).filter(job__in=ids).update(woken_at=now)
    times = [now + KEPT] if moved else []
    if len(moved) < len(chosen):
        times.append(now + KEPT / 2)  # somebody has locked them
    if more:
        times.append(_end_of_span(limit.key, now) or (now + LOOK if room <= SET else now))
    return min(times, default=None)


def _end_of_span(key: str, now: datetime) -> datetime | None:
    """When a rate limit's next slot becomes free; the leader hears of it. None for other limits."""
    spans = Slot.objects.using(settings.DATABASE).filter(limit=key, until__gt=now)
    end: datetime | None = spans.aggregate(at=Min("until"))["at"]
    if end is not None:
        at = end.timestamp()
        transaction.on_commit(lambda: events.publish("scheduled", at=at), using=settings.DATABASE, robust=True)
    return end


def _held(keys: Collection[str], at: datetime) -> dict[str, int]:
    """How many slots of each limit are taken."""
    slots = Slot.objects.using(settings.DATABASE).filter(Q(until=None) | Q(until__gt=at), limit__in=keys)
    return dict(slots.values_list("limit").annotate(number=Count("id")).order_by())


def _kept(keys: Collection[str], at: datetime, besides: Collection[int] = ()) -> dict[str, int]:
    """How many are kept for jobs that were woken and have not started yet."""
    fresh = Waiter.objects.using(settings.DATABASE).filter(limit__in=keys, woken_at__gt=at - KEPT)
    return dict(fresh.exclude(job__in=besides).values_list("limit").annotate(number=Count("job")).order_by())


def _with_waiters(keys: Collection[str], besides: Collection[int] = ()) -> list[str]:
    """Those of the limits that jobs wait for which were not woken yet."""
    waiters = Waiter.objects.filter(_awaiting(), limit=OuterRef("key"), woken_at=None).exclude(job__in=besides)
    limits = Limit.objects.using(settings.DATABASE).filter(Exists(waiters), key__in=keys)
    return list(limits.values_list("key", flat=True)) if keys else []


def _awaiting() -> Exists:
    """Paused waiters, and those that somebody enqueued by hand, are not next."""
    return Exists(Job.objects.filter(pk=OuterRef("job"), state=AWAITING))


def _free(changes: Sequence[Change]) -> set[str]:
    """Delete the slots of runs that ended; returns the limits. One that did not begin counts in no span either."""
    if not changes:
        return set()
    slots = Slot.objects.using(settings.DATABASE)
    unstarted = {change.id: change.run for change in changes if not change.began}
    held = Q(until=None, job__in=[change.id for change in changes])
    unused = Q(job__in=unstarted, until__gt=clock.now())
    rows = slots.filter(held | unused).values_list("id", "limit", "job", "run", "until")
    freed = {pk: key for pk, key, job_id, run, until in rows if until is None or run == unstarted[job_id]}
    slots.filter(pk__in=list(freed))._raw_delete(settings.DATABASE)
    return set(freed.values())


def _withdraw(ids: Collection[int]) -> set[str]:
    """Forget that jobs wait, which no longer do; returns the limits: one may have kept a slot for them."""
    keys = _limits_of(ids)
    if keys:
        Waiter.objects.using(settings.DATABASE).filter(job__in=ids)._raw_delete(settings.DATABASE)
    return keys


def _limits_of(ids: Collection[int]) -> set[str]:
    waiters = Waiter.objects.using(settings.DATABASE).filter(job__in=ids)
    return set(waiters.values_list("limit", flat=True)) if ids else set()


def _remember(keys: Collection[str], at: datetime) -> None:
    """Let the leader look at limits that jobs now wait for, should whoever looks after the commit not live to do so."""
    limits = Limit.objects.using(settings.DATABASE)
    rows = _locking(limits.filter(key__in=keys).order_by("key")).values_list("key", "due_at") if keys else []
    if unwatched := [key for key, due_at in rows if due_at is None]:
        limits.filter(key__in=unwatched).update(due_at=at + KEPT)


def _look_later(keys: Collection[str]) -> None:
    """After the commit; a failure there is the leader's to mend."""
    if keys:
        transaction.on_commit(lambda: look(keys), using=settings.DATABASE, robust=True)


def _lock(ceilings: Iterable[Ceiling]) -> list[str]:
    """Lock the rows of the limits, made where they are missing; returns their keys."""
    limits = Limit.objects.using(settings.DATABASE)
    wanted = {one.key: one for one in sorted(ceilings, key=lambda one: one.key)}
    known: dict[str, int] = {}
    while len(known) < len(wanted):  # an idle one may be forgotten just then
        known = dict(_locking(limits.filter(key__in=wanted).order_by("key")).values_list("key", "maximum"))
        missing = [one for key, one in wanted.items() if key not in known]
        new = [Limit(key=one.key, name=one.name, maximum=one.maximum) for one in missing]
        limits.bulk_create(new, ignore_conflicts=True)
    for key, one in wanted.items():
        if known[key] != one.maximum:
            limits.filter(key=key).update(maximum=one.maximum)
    return [*wanted]


def _locking(rows: QuerySet[Limit], *, skip: bool = False) -> QuerySet[Limit]:
    features = transaction.get_connection(settings.DATABASE).features
    return rows.select_for_update(skip_locked=skip and features.has_select_for_update_skip_locked)
