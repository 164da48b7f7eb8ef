"""What every process of a server shares: its name and duties' clockwork, its row, and how it is asked to stop."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil
from django.db import DataError, IntegrityError, OperationalError, close_old_connections, connections, transaction
from django.db import Error as DatabaseError

from .. import __version__, clock, monitoring, queues
from ..conf import settings
from ..declared import declarations
from ..models import Server

logger = logging.getLogger("django_jobs.server")

T = TypeVar("T")

RECYCLE = 75
"""Exit status of a child that wants to be replaced by a fresh one."""
ENDED = 76
"""Exit status of a worker that ended by itself and is not to come back. A job's own ``os._exit(0)`` is a death."""
CLOCK_INTERVAL = 60.0
"""Seconds between two looks at the database's clock: a host that slept, or was suspended, is behind."""


@dataclass(frozen=True)
class ServerOptions:
    """What one `runjobs` was asked to do."""

    name: str
    queues: list[str]
    types: list[str]
    """Names of the job types that this server takes, aliases included."""
    address: str
    """Where bells wait that only servers with these types can answer."""
    weights: dict[str, float] = field(default_factory=dict)
    """How often each queue comes first; empty for strict order."""
    processes: int = 1
    threads: int = 1
    """Jobs that each process runs at a time."""
    scheduler: bool = True
    grace: float = 30.0
    max_jobs: int | None = None
    max_memory: int | None = None
    """Bytes of resident memory after which a child is replaced."""
    burst: bool = False
    """End when the queues are empty."""


@dataclass
class Duty:
    """Something to do every so many seconds; it may ask to be called earlier by returning when, in seconds from now."""

    name: str
    interval: float
    run: Callable[[], float | None]
    due: float = field(default=0.0)


class Clockwork:
    """Runs duties when they are due. One that raises is logged and comes again; it stops no other."""

    def __init__(self, duties: list[Duty]) -> None:
        self.duties = duties
        self._troubled: set[str] = set()

    def turn(self) -> float:
        """Run what is due; returns the seconds until something is due again."""
        for duty in self.duties:
            if duty.due <= time.monotonic():
                sooner = self._attempt(duty)
                duty.due = time.monotonic() + max(0.0, min(duty.interval, duty.interval if sooner is None else sooner))
        return max(0.0, min(duty.due for duty in self.duties) - time.monotonic())

    def _attempt(self, duty: Duty) -> float | None:
        try:
            sooner = duty.run()
        except Exception as error:
            if duty.name not in self._troubled and not isinstance(error, OperationalError):
                logger.exception("%s failed; it is tried again every %g s", duty.name, duty.interval)
            else:
                logger.warning("%s failed: %s", duty.name, str(error).strip())
            self._troubled.add(duty.name)
            connections.close_all()
            return None
        self._troubled.discard(duty.name)
        return sooner


class Stop:
    """Set by signals; asked by loops. The first signal asks for a graceful end, a second one for the end now."""

    TWICE = 1.0
    """Seconds within which a second signal is taken for the same one: a terminal and a parent often both send it."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signals = 0
        self._first = 0.0

    def __bool__(self) -> bool:
        return self.event.is_set()

    @property
    def now(self) -> bool:
        return self.signals > 1

    def request(self, *args: Any) -> None:
        if not self.signals or time.monotonic() - self._first > self.TWICE:
            self._first = time.monotonic()
            self.signals += 1
        self.event.set()

    def on_signals(self) -> None:
        signal.signal(signal.SIGTERM, self.request)
        signal.signal(signal.SIGINT, self.request)
        os.register_at_fork(after_in_child=_default_signals)


def _default_signals() -> None:
    """A process that a job forks (``multiprocessing`` does) can be terminated as any other."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


POISON = (DataError, IntegrityError, ValueError)
"""What the database (or its driver) raises for a value that it will never take: trying again would not help."""


def persistently(action: Callable[[], T], what: str, gave_up: Callable[[], bool] = lambda: False) -> T:
    """Do it until the database lets it be done: with back-off, on a fresh connection.

    Raises once `gave_up` says so, and at once for `POISON`.
    """
    pause = 0.05
    while True:
        try:
            return action()
        except POISON:
            raise
        except DatabaseError as error:
            if gave_up():
                raise
            logger.warning("%s: the database says %s; next try in %.2g s", what, str(error).strip(), pause)
            transaction.get_connection(settings.DATABASE).close()
            time.sleep(pause)
            pause = min(pause * 2, 5.0)


def close_connections() -> None:
    """Before a fork: leave nothing behind that parent and child would share."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


class Freshness:
    """Checks connections before a set of jobs: after a rest, and after an error that a job may have left behind."""

    REST = 5.0
    """Seconds without use after which a connection may have died unnoticed."""

    def __init__(self) -> None:
        self._used = time.monotonic()

    def check(self) -> None:
        now = time.monotonic()
        troubled = any(connection.errors_occurred for connection in connections.all(initialized_only=True))
        if troubled or now - self._used > self.REST:
            close_old_connections()
        self._used = now


def measure_clock() -> None:
    """Follow the database's clock, so that hosts whose clocks differ agree on what is due."""
    truth = monitoring.database_time()
    if truth is None:
        clock.clock.release()
        return
    drift = clock.clock.anchor(truth)
    if abs(drift) > 5:
        logger.warning("This host's clock and the database's differ by %.1f s; the database's is followed", drift)


def prepare_database() -> None:
    """Make connections fit for servers: they stay open; SQLite gets write-ahead logging and immediate transactions."""
    for alias in connections:
        database = connections.settings[alias]
        if not database.get("OPTIONS", {}).get("pool") and not database["CONN_MAX_AGE"]:
            database["CONN_MAX_AGE"] = None
            database["CONN_HEALTH_CHECKS"] = True
    connection = connections[settings.DATABASE]
    if connection.vendor == "sqlite":
        connection.close()
        options = connection.settings_dict.setdefault("OPTIONS", {})
        options.setdefault("timeout", 20)
        options["transaction_mode"] = "IMMEDIATE"
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")


def register(name: str, kind: str, options: ServerOptions, parent: Server | None = None) -> Server:
    """Write this process's row."""
    now = clock.now()
    slots = {Server.Kind.SUPERVISOR: options.processes * options.threads, Server.Kind.WORKER: options.threads}
    facts = {
        "kind": kind,
        "parent": parent,
        "application": settings.APPLICATION,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": __version__,
        "queues": queues.names() if kind == Server.Kind.SCHEDULER else options.queues,
        "types": options.types if parent is None else [],
        "schedules": declarations.ids() if parent is None else [],
        "address": options.address,
        "slots": slots.get(Server.Kind(kind), 0),
        "wanted": "",
        "started_at": now,
        "heartbeat_at": now,
    }
    return Server.objects.using(settings.DATABASE).update_or_create(name=name, defaults=facts)[0]


class Vitals:
    """What a process uses of its machine."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._process.cpu_percent()
        self.memory = 0

    def measure(self) -> dict[str, float]:
        """Resident bytes, and percent of one core since the last measurement."""
        self.memory = self._process.memory_info().rss
        return {"memory": self.memory, "cpu": round(self._process.cpu_percent(), 1)}


def sign_of_life(server: Server, **facts: Any) -> bool:
    """Renew the row's heartbeat; False when somebody removed the row, taking this process for dead."""
    rows = Server.objects.using(settings.DATABASE).filter(pk=server.pk)
    return bool(rows.update(heartbeat_at=clock.now(), **facts))


def orphaned(parent: int) -> bool:
    """Whether the supervisor of this child is gone."""
    return os.getppid() != parent
