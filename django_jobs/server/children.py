"""The processes that a supervisor forks: what it knows of each, and their life from the fork to the exit."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connections

from .. import capture, queues, signals
from ..conf import settings
from ..models import Server
from ..registry import registry
from .health import serve
from .process import ENDED, RECYCLE, ServerOptions, Stop, measure_clock, persistently, register
from .scheduler import Scheduler
from .shared import Shared, Slot
from .worker import JobWorker
from .zygote import Zygote

if TYPE_CHECKING:
    from .supervisor import Supervisor

logger = logging.getLogger("django_jobs.server")

WORKER = Server.Kind.WORKER
SCHEDULER = Server.Kind.SCHEDULER
PROBE = "probe"


@dataclass
class Child:
    """A process that the supervisor forks, and forks anew when it dies."""

    kind: str
    queues: list[str]
    name: str = ""
    pid: int = 0
    shared: Shared = field(default_factory=Shared)
    born: float = 0.0
    respawn_at: float = 0.0
    failures: int = 0
    overran: list[Slot] = field(default_factory=list)
    """The jobs because of which it was killed: they ran over their hard time limits."""


def ended(pid: int) -> int | None:
    """The wait status of a child that has ended, None while it lives."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 1 << 8
    return status if done else None


def child_main(child: Child, supervisor: Supervisor) -> None:
    """The life of a forked child. It does not return."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setpgid(0, 0)  # Ctrl-C in the terminal is for the supervisor, which stops its children in good order
        random.seed()
        status = _probe(supervisor) if child.kind == PROBE else _child_work(child, supervisor)
    except BaseException:
        logger.exception("%s %s ends because of an error", child.kind.capitalize(), child.name)
    finally:
        signals.process_ending.send_robust(None)
        connections.close_all()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _probe(supervisor: Supervisor) -> int:
    signal.signal(signal.SIGTERM, lambda signum, frame: os._exit(0))
    serve(supervisor.pulse, ("", supervisor.health_port or 0), os.getppid())
    return 0


def _child_work(child: Child, supervisor: Supervisor) -> int:
    stop = Stop()
    stop.on_signals()
    if supervisor.stop:  # it was asked to stop while we were being forked
        stop.request()
    options, parent = supervisor.options, supervisor.row
    row = persistently(lambda: register(child.name, child.kind, options, parent), "The start waits", lambda: bool(stop))
    measure_clock()
    if child.kind == SCHEDULER:
        Scheduler(row, stop).run()
        return RECYCLE
    capture.attach(settings.CONSOLE_LEVEL)
    isolated = any(job_type.isolation for name in options.types if (job_type := registry.find(name)))
    zygote = Zygote() if isolated else None
    worker = _connected_worker(child, options, row, stop, zygote)
    return RECYCLE if worker and worker.work() else ENDED


def _connected_worker(
    child: Child, options: ServerOptions, row: Server, stop: Stop, zygote: Zygote | None
) -> JobWorker | None:
    """The worker, as soon as Redis can be reached."""
    troubled = False
    while not stop:
        try:
            return JobWorker(child.queues, options, row, stop, child.shared, zygote)
        except (queues.Unreachable, OSError) as error:
            if not troubled:
                logger.warning("Worker %s: Redis cannot be reached, trying again every second: %s", row.name, error)
            troubled = True
            stop.event.wait(1.0)
    return None
