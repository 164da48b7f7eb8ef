"""The leader's timetables: schedules whose time has come become jobs, each tick one, in sets.

The reckoning is done before anything is locked. What is written is conditional on the rows being as they were then,
and a tick is unique in the database besides: two leaders, or one that died and came back, cannot double it.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connections
from django.db.models import QuerySet

from .. import clock, monitoring, runs, schedules, states
from ..call import clean_text
from ..conf import settings
from ..exceptions import EnqueueCancelled
from ..models import Job, RecurringJob
from ..schedules import BROKEN
from ..states import effects, machine
from ..states.moves import Target
from ..states.statements import TABLES
from ..terms import CALL, TIMES
from ..timetable import Due, Timetable, due
from ..transactions import atomic

logger = logging.getLogger("django_jobs.server")

SET = 1000
ROUNDS = 20
"""Most sets of one round, so that the lease is renewed between two."""
RETRY = timedelta(seconds=15)
"""Until a broken timetable is looked at again."""
Overlap = RecurringJob.Overlap
LOOK = ("pk", *CALL, "expires", *TIMES, "misfire", "overlap", "jitter", "since", "next_run", "failures", "changed_at")
"""What is read of a schedule to reckon and to make its jobs: no more, since thousands may be due at midnight."""
LIVE = sorted(set(states.ALL) - states.ENDED)
ENDED = "The last run has ended"
WAITING = {states.AWAITING, states.PAUSED}
"""Where a run is that waits for the one before: a person may pause it meanwhile, and let it go on."""
MADE = """
    UPDATE {recurring} SET since = %s, next_run = %s, last_run = %s, error = '', failures = 0,
        last_job_id = (SELECT id FROM {job} WHERE recurring_job_id = {recurring}.id AND tick = %s)
    WHERE id IN ({{ids}})""".format(**TABLES)
PASSED = """
    UPDATE {recurring} SET since = %s, next_run = %s, error = '', failures = 0
    WHERE id IN ({{ids}})""".format(**TABLES)


@dataclass
class Firing:
    """What becomes of a schedule whose time has come: reckoned first, filled in under the lock."""

    seen: Any
    """What was read of the schedule: `LOOK`."""
    due: Due
    jobs: list[Job] = field(default_factory=list)
    waiting: Job | None = None

    def keep_stored(self) -> None:
        """Forget jobs that were not stored, since another one holds their unique key."""
        self.jobs = [job for job in self.jobs if job.pk is not None]
        if self.waiting is not None and self.waiting.pk is None:
            self.waiting = None

    @property
    def outcome(self) -> tuple[datetime, datetime | None, datetime | None]:
        """What the row is to say: dealt with until, next run, and the last tick that became a job."""
        return self.due.until, self.due.next, self.jobs[-1].tick if self.jobs else None


def fire_due() -> float | None:
    """Make jobs of the ticks whose time has come; returns the seconds until the next one's."""
    _release_waiting()
    with effects.rung_together():
        full, done = _fire_rounds()
    if full and done:
        return 0.0
    nearest = _timed().values_list("next_run", flat=True).first()
    if nearest is None:
        return None
    pause = (nearest - clock.now()).total_seconds()
    # What is due but could not be had, since somebody holds its row, is looked at with the next poll.
    return None if pause <= 0 and not done else max(0.0, pause)


def _fire_rounds() -> tuple[bool, int]:
    """Fire sets until nothing is due, at most `ROUNDS`; whether the last was full, and how many of it were fired."""
    full, done = False, 0
    for _ in range(ROUNDS):
        now = clock.now()
        rows = list(_timed().filter(next_run__lte=now).values_list(*LOOK, named=True)[:SET])
        done = _fire([firing for row in rows if (firing := _reckon(row, now))], now)
        full = len(rows) == SET
        if not full or not done:
            break
    return full, done


def _timed() -> QuerySet[RecurringJob]:
    """The schedules that run, the earliest first."""
    return schedules.rows().filter(enabled=True, next_run__isnull=False).order_by("next_run")


def _reckon(row: Any, now: datetime) -> Firing | None:
    """Which ticks are due by its timetable; None where that is broken, which the row then says."""
    try:
        table = Timetable(*(getattr(row, name) for name in TIMES))
        first = table.next(row.since) if row.failures else row.next_run
        if first is None or first > now:  # found whole again, with nothing due
            return Firing(row, Due([], row.since, first))
        grace = timedelta(seconds=settings.MISFIRE_GRACE)
        limit = max(1, int(settings.MISFIRE_LIMIT))
        return Firing(row, due(table, row.since, now, row.misfire, grace=grace, limit=limit, first=first))
    except Exception as error:  # noqa: BLE001  (whatever is wrong with one of them, the others go on)
        _trouble(row, error)
        return None


def _trouble(row: Any, error: Exception) -> None:
    """Note what is wrong, and look again later; the last time, switch it off."""
    failures = row.failures + 1
    last = failures >= BROKEN
    logger.error("The recurring job %r is broken%s: %s", row.pk, ", so it was switched off" if last else "", error)
    schedules.rows().filter(pk=row.pk, next_run=row.next_run, enabled=True).update(
        error=clean_text(f"{type(error).__name__}: {error}")[:500],
        failures=failures,
        enabled=not last,
        next_run=None if last else clock.now() + RETRY * failures,
    )


def _fire(firings: list[Firing], now: datetime) -> int:
    """Make the jobs of a set in one transaction; returns how many schedules that were.

    What the database (or a filter) refuses is halved until the culprit is alone: it stops no other.
    """
    if not firings:
        return 0
    try:
        with atomic():
            return _make(firings, now)
    except OperationalError:  # not the fault of what was written: the next look tries again
        raise
    except Exception as error:  # noqa: BLE001
        if len(firings) > 1:
            half = len(firings) // 2
            return _fire(firings[:half], now) + _fire(firings[half:], now)
        return _alone(firings[0], now, error)


def _alone(firing: Firing, now: datetime, error: Exception) -> int:
    """The one that could not be fired: its tick was made before, or it is broken."""
    made = monitoring.jobs().filter(recurring_job=firing.seen.pk, tick__in=firing.due.ticks)
    if known := set(made.values_list("tick", flat=True)):
        left = [tick for tick in firing.due.ticks if tick not in known]
        return _fire([Firing(firing.seen, replace(firing.due, ticks=left))], now)
    _trouble(firing.seen, error)
    return 1


def _make(firings: list[Firing], now: datetime) -> int:
    by_id = {firing.seen.pk: firing for firing in firings}
    held = _lock(by_id)
    busy = _busy([pk for pk in held if by_id[pk].seen.overlap != Overlap.ALLOW])
    firings = [by_id[pk] for pk in held]
    for firing in firings:
        _make_jobs(firing, now, busy, has_waiting=held[firing.seen.pk] is not None)
    if jobs := [job for firing in firings for job in firing.jobs]:
        runs.store_runs(jobs)
        for firing in firings:
            firing.keep_stored()
    _write(firings, now)
    return len(firings)


def _write(firings: list[Firing], now: datetime) -> None:
    """Bring the rows up to date: one statement for all that share their times, as thousands at midnight do."""
    connection = connections[settings.DATABASE]
    adapt = connection.ops.adapt_datetimefield_value
    groups: dict[tuple[datetime, datetime | None, datetime | None], list[str]] = {}
    for firing in firings:
        groups.setdefault(firing.outcome, []).append(firing.seen.pk)
    with connection.cursor() as cursor:
        for (until, following, tick), ids in groups.items():
            times = [adapt(until), following and adapt(following)]
            made = [] if tick is None else [adapt(now), adapt(tick)]
            places = ", ".join(["%s"] * len(ids))
            cursor.execute((MADE if made else PASSED).replace("{ids}", places), [*times, *made, *ids])
    for firing in firings:
        if firing.waiting is not None:
            schedules.rows().filter(pk=firing.seen.pk).update(waiting_job=firing.waiting)


def _lock(by_id: dict[str, Firing]) -> dict[str, int | None]:
    """Those of the schedules that nobody else has locked or changed, with the job that waits for each."""
    skip = connections[settings.DATABASE].features.has_select_for_update_skip_locked
    rows = schedules.rows().filter(pk__in=list(by_id), enabled=True).order_by("pk").select_for_update(skip_locked=skip)
    held: dict[str, int | None] = {}
    for pk, next_run, changed_at, waiting in rows.values_list("pk", "next_run", "changed_at", "waiting_job"):
        seen = by_id[pk].seen
        if (next_run, changed_at) == (seen.next_run, seen.changed_at):
            held[pk] = waiting
    return held


def _make_jobs(firing: Firing, now: datetime, busy: set[str], *, has_waiting: bool) -> None:
    """A job for each tick, as far as filters and the policy for overlapping runs let it."""
    row = firing.seen
    firing.jobs, firing.waiting = [], None
    for tick in firing.due.ticks:
        waits = row.pk in busy
        if waits and (row.overlap != Overlap.QUEUE or firing.waiting or has_waiting):
            continue
        later = tick + timedelta(seconds=random.uniform(0, row.jitter)) if row.jitter and not waits else None
        try:
            job = runs.new_job(row, now, tick=tick, due=later, waits=waits)
        except EnqueueCancelled as refusal:
            logger.info("No run of %r at %s: %s", row.pk, tick, refusal)
            continue
        firing.jobs.append(job)
        firing.waiting = job if waits else None
        if row.overlap != Overlap.ALLOW:
            busy.add(row.pk)


def _busy(ids: list[str]) -> set[str]:
    """Those of the schedules of which a run goes on; one that waits for its retry does."""
    live = monitoring.jobs().filter(recurring_job__in=ids, state__in=LIVE) if ids else Job.objects.none()
    return set(live.order_by().values_list("recurring_job", flat=True).distinct())


def _release_waiting() -> None:
    """Enqueue runs that waited for the one before to end; forget those that wait no more."""
    last = ""
    while True:
        rows = schedules.rows().filter(waiting_job__isnull=False, pk__gt=last).order_by("pk")
        page = dict(rows.values_list("pk", "waiting_job")[:SET])
        if page:
            _release(page)
        if len(page) < SET:
            return
        last = max(page)


def _put_off(ids: list[int]) -> set[int]:
    """Those that a filter put off until later than now."""
    rows = monitoring.jobs().filter(pk__in=ids, scheduled_at__gt=clock.now()) if ids else Job.objects.none()
    return set(rows.order_by().values_list("pk", flat=True))


def _release(page: dict[str, int]) -> None:
    """A page of schedules with the job that waits for each."""
    live = monitoring.jobs().filter(recurring_job__in=list(page), state__in=LIVE).exclude(pk__in=page.values())
    busy = set(live.order_by().values_list("recurring_job", flat=True).distinct())
    waits = monitoring.states_of(page.values())
    free = [job_id for pk, job_id in page.items() if waits.get(job_id) == states.AWAITING and pk not in busy]
    later = _put_off(free)
    moved = machine.move(later, Target(states.SCHEDULED, ENDED), expected={states.AWAITING}, strict=False)
    soon = [job_id for job_id in free if job_id not in later]
    moved += machine.move(soon, Target(states.ENQUEUED, ENDED), expected={states.AWAITING}, strict=False)
    gone = {row.id for row in moved} | {job_id for job_id in page.values() if waits.get(job_id) not in WAITING}
    for pk, job_id in page.items():
        if job_id in gone:
            schedules.rows().filter(pk=pk, waiting_job=job_id).update(waiting_job=None)
