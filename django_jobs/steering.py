"""What people do with whole queues and servers. The verbs on jobs are in `client`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from . import clock, monitoring, queues, states
from .call import aware_moment
from .conf import settings
from .exceptions import InvalidJob, UnknownQueue
from .models import Queue, Server
from .states import effects, machine
from .states.machine import Target

PAGE = 5000


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
    with transaction.atomic(using=settings.DATABASE):
        _set(name, by, paused=False, paused_until=None)
        for page in _waiting(name):
            effects.ring([(pk, name, priority) for pk, priority in page])


def purge_queue(name: str, *, by: Any = None) -> int:
    """Move every job that waits in this queue to Deleted; returns how many those were. Raises UnknownQueue."""
    _check(name)
    target = Target(states.DELETED, f"Purged with its queue{f' by {by.get_username()}' if by is not None else ''}")
    pages = ([pk for pk, _ in page] for page in _waiting(name))
    return sum(len(machine.move(ids, target, expected={states.ENQUEUED})) for ids in pages)


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
