"""Who serves: servers, queues, and the database's clock."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Case, Exists, OuterRef, Prefetch, Q, QuerySet, When
from django.db.models import Count as DbCount

from .. import clock, queues, states
from ..conf import settings
from ..models import Lease, Queue, Server, Waiter
from .counting import CAP, OLDEST, Count, capped, numbers
from .finding import jobs
from .once import once

LOOKED = 1000
"""Waiting jobs of a queue among which the oldest is looked for: one that was requeued comes first by its number."""


def servers() -> QuerySet[Server]:
    """Every `runjobs` with its children, the servers that are alive first; a child tells whether it `leads`."""
    lease = Lease.objects.filter(name="scheduler", holder=OuterRef("name"), until__gt=clock.now())
    children = Server.objects.using(settings.DATABASE).annotate(leads=Exists(lease))
    rows = Server.objects.using(settings.DATABASE).filter(parent=None).prefetch_related(Prefetch("children", children))
    return rows.annotate(dead=Case(When(alive(), then=0), default=1)).order_by("dead", "name")


def alive() -> Q:
    """The condition under which a server counts as alive."""
    return Q(heartbeat_at__gt=clock.now() - timedelta(seconds=settings.SERVER_TIMEOUT))


def is_alive(server: Server) -> bool:
    """Whether the server gave a sign of life within the time-out."""
    return bool(clock.now() - server.heartbeat_at < timedelta(seconds=settings.SERVER_TIMEOUT))


def live_servers() -> QuerySet[Server]:
    return Server.objects.using(settings.DATABASE).filter(alive(), kind=Server.Kind.SUPERVISOR)


def server_of(worker: str) -> int | None:
    """Id of the `runjobs` to which a worker of that name belongs; None where it is gone."""
    rows = Server.objects.using(settings.DATABASE).filter(name=worker).values_list("parent_id", "pk")
    found = rows.first()
    return None if found is None else found[0] or found[1]


@once
def paused_queues() -> set[str]:
    """Names of the queues from which nothing is claimed now."""
    rows = Queue.objects.using(settings.DATABASE).filter(Queue.paused_at(clock.now()))
    return set(rows.values_list("name", flat=True))


def ringers() -> dict[str, str]:
    """For each queue that a live scheduler knows: the name of the one that rings for it; the leader, if it can."""
    lease = Lease.objects.filter(name="scheduler", holder=OuterRef("name"), until__gt=clock.now())
    rows = Server.objects.using(settings.DATABASE).filter(alive(), kind=Server.Kind.SCHEDULER)
    found: dict[str, str] = {}
    for name, known in rows.annotate(leads=Exists(lease)).order_by("-leads", "id").values_list("name", "queues"):
        for queue in known:
            found.setdefault(queue, name)
    return found


@once
def published_types() -> set[str]:
    """Job types that some live server can run."""
    return {name for types in live_servers().values_list("types", flat=True) for name in types}


@once
def fleet() -> list[Server]:
    """Every `runjobs` with its children, the servers that are alive first."""
    return list(servers())


def living() -> list[Server]:
    """Every `runjobs` that is alive."""
    return [server for server in fleet() if is_alive(server)]


@once
def queue_waits() -> dict[str, dict[str, Any]]:
    """For each queue of the site: how many jobs wait, for a worker or for a limit, and how many live servers take it.

    `oldest` is since when the one waits that has waited longest for a worker, of the first `LOOKED`.
    """
    served = [set(row.queues) for row in living() if row.kind == Server.Kind.SUPERVISOR and not row.wanted]
    paused = paused_queues()
    waiting = {name: jobs().filter(state=states.ENQUEUED, queue=name) for name in queues.names()}
    parts = [
        part
        for rows in waiting.values()
        for part in (capped(rows), (OLDEST, rows.order_by("id").values("id", "state_at")[:LOOKED]))
    ]
    *found, crowd = numbers(*parts, capped(_waiters()))
    limited = _over_limits() if crowd else Tally()
    since = dict(jobs().filter(pk__in=[pk for pk in found[1::2] if pk]).order_by().values_list("pk", "state_at"))
    return {
        name: {
            "waiting": Count(number + limited[name], number >= CAP or (crowd >= CAP and name in limited)),
            "oldest": since.get(first),
            "servers": sum(name in taken for taken in served),
            "paused": name in paused,
        }
        for name, number, first in zip(waiting, found[::2], found[1::2], strict=True)
    }


def _waiters() -> QuerySet[Waiter]:
    return Waiter.objects.using(settings.DATABASE)


def _over_limits() -> Tally[str]:
    """How many jobs of each queue wait for a limit, of the first `CAP` that do."""
    ids = list(_waiters().order_by("job").values_list("job", flat=True)[:CAP])
    rows = jobs().filter(pk__in=ids, state=states.AWAITING)
    return Tally(dict(rows.values_list("queue").annotate(number=DbCount("id")).order_by()))


def database_time() -> datetime | None:
    """What the database's clock says now; None for SQLite, whose clock is this host's."""
    connection = connections[settings.DATABASE]
    if connection.vendor == "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()" if connection.vendor == "postgresql" else "SELECT UTC_TIMESTAMP(6)")
        told: datetime = cursor.fetchone()[0]
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)
