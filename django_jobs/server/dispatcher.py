"""The leader's dispatching: delayed jobs that came due are enqueued, and lost bells are rung again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

from .. import clock, monitoring, queues, states
from ..conf import settings
from ..models import Counter
from ..policies import batches, continuations
from ..states import machine, moves
from ..states.patience import patience
from . import routing

logger = logging.getLogger("django_jobs.server")

SETTLED = 5.0
"""Seconds that a job must have been Enqueued before the sweep misses its bell: it may just be on its way."""
PAGE = 5000
ROUNDS = 10
"""Most sets of one round, so that the lease is renewed between two."""


def dispatch_due() -> float | None:
    """Enqueue the jobs whose time has come; returns the seconds until the next one's."""
    for _ in range(ROUNDS):
        now = clock.now()
        moved = len(machine.move_due(now))
        if moved < moves.SET_SIZE:
            break
    else:
        return 0.0
    scheduled = monitoring.jobs().filter(state=states.SCHEDULED).exclude(pk__in=patience.waiting())
    if not moved:  # what is due but could not be had, since somebody holds its row, is looked at with the next poll
        scheduled = scheduled.filter(scheduled_at__gt=now)
    nearest = scheduled.order_by("scheduled_at").values_list("scheduled_at", flat=True).first()
    waits = [] if nearest is None else [max(0.0, (nearest - clock.now()).total_seconds())]
    return min((seconds for seconds in (*waits, patience.next()) if seconds is not None), default=None)


def release() -> float | None:
    """End batches that are through, cancel members of cancelled ones, start what waits for something that has ended.

    Returns 0 when more is waiting.
    """
    more = [all(catch_up() for _ in range(ROUNDS)) for catch_up in (batches.catch_up, continuations.catch_up)]
    return 0.0 if any(more) else None


def sweep(names: list[str] | None = None) -> None:
    """Ring again for enqueued jobs without a bell: Redis was flushed, restarted or away, or a stock worker ate it.

    A job whose type no live server knows is not rung; it says so until one does.
    `names` are the queues: if they are not given, all that this process knows.
    """
    names = queues.names() if names is None else names
    if not names:
        return
    addresses = routing.addresses()
    paused = monitoring.paused_queues()
    for queue in names:
        _drop_expired(queue)
        if queue in paused:
            continue
        try:
            queues.forget_addresses(queue, addresses.values())
            bells = queues.waiting(queue, set(addresses.values()))
        except queues.Unreachable as error:
            logger.warning("The sweep of queue %r waits, Redis cannot be reached: %s", queue, error)
            continue
        known = {job_type for taken, job_type in addresses if taken == queue}
        for rows in _settled(queue):
            missing = [
                (pk, queue, priority) for pk, priority, job_type in rows if pk not in bells and job_type in known
            ]
            if missing and queues.ring(missing):
                logger.warning("Queue %r: rang again for %d job(s) whose bell was lost", queue, len(missing))
                Counter.add(settings.DATABASE, Counter.RUNG, len(missing))
            _explain([row for row in rows if row[2] not in known], bool(known))


def _settled(queue: str) -> Iterator[list[tuple[int, int, str]]]:
    """The enqueued jobs of a queue, page by page: id, priority, type."""
    before = clock.now() - timedelta(seconds=SETTLED)
    last = 0
    while True:
        rows = monitoring.jobs().filter(state=states.ENQUEUED, queue=queue, pk__gt=last, state_at__lt=before)
        page = list(rows.order_by("pk").values_list("pk", "priority", "job_type")[:PAGE])
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1][0]


def _explain(rows: list[tuple[int, int, str]], anyone: bool) -> None:
    if rows and anyone:
        machine.explain([row[0] for row in rows], routing.NOBODY)


def _drop_expired(queue: str) -> None:
    """Delete waiting jobs that can no longer start in time, though no worker came to see their bell."""
    late = monitoring.jobs().filter(state=states.ENQUEUED, queue=queue, start_before__lte=clock.now())
    routing.expire(list(late.values_list("pk", flat=True)[: moves.SET_SIZE]))
