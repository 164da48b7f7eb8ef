"""What people do with whole queues and servers. The verbs on jobs are in `client`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from . import clock, monitoring, queues, states
from .conf import settings
from .exceptions import InvalidJob, UnknownQueue
from .models import Queue, Server, Waiter
from .moments import aware_moment
from .policies import limits
from .rates import RateLimit, rate_from
from .states import effects, machine
from .states.moves import Target
from .transactions import atomic

PAGE = 5000
BEFORE_A_RUN = (states.ENQUEUED, states.AWAITING)
"""The states between which a job goes to and fro that a limit concerns."""


def direct(server_ids: Iterable[int], wanted: str) -> int:
    """Ask servers to take no new jobs ("quiet"), to work again (""), or to "stop"; returns how many were asked.

    A server looks for its orders every second.
    """
    if wanted not in {"", *Server.Wanted.values}:
        raise InvalidJob("wanted", f'is {wanted!r}; give "quiet", "stop", or "" to work again')
    rows = Server.objects.using(settings.DATABASE).filter(pk__in=list(server_ids), parent=None)
    return rows.update(wanted=wanted)


def pause_queue(name: str, *, until: datetime | timedelta | None = None, by: Any = None) -> None:
    """No server claims jobs of this queue from the commit on; what runs already goes on.

    `until` ends the pause by itself: an aware datetime, or a timedelta from now. Raises UnknownQueue, InvalidJob.
    """
    _set(name, by, paused=True, paused_until=aware_moment(until, clock.now(), "until"))


def resume_queue(name: str, *, by: Any = None) -> None:
    """Let jobs of this queue be claimed again, and ring for those that wait. Raises UnknownQueue."""
    with atomic():
        _set(name, by, paused=False, paused_until=None)
        for page in _waiting(name):
            effects.ring([(pk, name, priority) for pk, priority in page])


def limit_queue(name: str, *, max_concurrency: int | None, rate_limit: str | RateLimit | None, by: Any = None) -> None:
    """Limit how many jobs of this queue run at once, and how many start within a time, over all servers.

    None takes the setting ``QUEUE_LIMITS``. What runs already goes on. Raises UnknownQueue, InvalidJob.
    """
    if max_concurrency is not None and (type(max_concurrency) is not int or not 0 < max_concurrency < 2**31):
        raise InvalidJob("max_concurrency", f"is {max_concurrency!r}; give a whole number of at least 1, or None")
    rate = _rate(rate_limit)
    with atomic():
        _set(name, by, max_concurrency=max_concurrency, rate_limit=rate)
        limits.retune(name)


def _rate(given: str | RateLimit | None) -> str:
    try:
        rate = rate_from(given) if given else None
    except ValueError as error:
        raise InvalidJob("rate_limit", str(error)) from None
    if rate is not None and rate.key is not None:
        raise InvalidJob("rate_limit", "has a key; the rate limit of a queue is one for all its jobs")
    return "" if rate is None else str(rate)


def purge_queue(name: str, *, by: Any = None) -> int:
    """Move every job that waits in this queue, for a worker or for a limit, to Deleted; returns how many those were.

    Raises UnknownQueue.
    """
    _check(name)
    target = Target(states.DELETED, f"Purged with its queue{f' by {by.get_username()}' if by is not None else ''}")
    # In this order: a claim may make an enqueued job wait for a limit meanwhile.
    pages = chain(([pk for pk, _ in page] for page in _waiting(name)), _over_limits(name))
    return sum(len(machine.move(ids, target, expected=BEFORE_A_RUN)) for ids in pages)


def _check(name: str) -> None:
    if name not in queues.names():
        raise UnknownQueue(name, queues.names())


def _set(name: str, by: Any, **facts: Any) -> None:
    _check(name)
    facts |= {"changed_at": clock.now(), "changed_by": "" if by is None else by.get_username()[:150]}
    Queue.objects.using(settings.DATABASE).update_or_create(name=name, defaults=facts)


def _waiting(name: str) -> Iterator[list[tuple[int, int]]]:
    """The enqueued jobs of a queue, page by page: id and priority."""
    last = 0
    while True:
        rows = monitoring.jobs().filter(state=states.ENQUEUED, queue=name, pk__gt=last).order_by("pk")
        page = list(rows.values_list("pk", "priority")[:PAGE])
        if not page:
            return
        yield page
        last = page[-1][0]


def _over_limits(name: str) -> Iterator[list[int]]:
    """The ids of the jobs of a queue that wait for a limit, or were just woken, page by page."""
    last = 0
    while True:
        rows = Waiter.objects.using(settings.DATABASE).filter(job__gt=last).order_by("job")
        page = list(rows.values_list("job", flat=True)[:PAGE])
        if not page:
            return
        theirs = monitoring.jobs().filter(pk__in=page, queue=name, state__in=BEFORE_A_RUN)
        yield list(theirs.values_list("pk", flat=True))
        last = page[-1]
