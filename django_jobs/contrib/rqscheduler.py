"""For sites that keep `manage.py rqscheduler` running: the class for ``RQ = {"SCHEDULER_CLASS": …}``.

The process goes on moving the jobs of rq-scheduler, and does a scheduler's duties of `runjobs` beside that: it stands
for election, and fires delayed and recurring jobs while it leads.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from typing import Any

from django.db import connections
from django_rq.queues import DjangoScheduler

from ..models import Server
from ..server.process import ServerOptions, Stop, measure_clock, register
from ..server.scheduler import Scheduler

logger = logging.getLogger("django_jobs.server")

REST = 5.0
"""Seconds after which the duties are taken up again, where they ended by themselves."""


class JobScheduler(DjangoScheduler):
    """rq-scheduler's scheduler, with ours in a thread of its own."""

    def run(self, burst: bool = False) -> None:
        ours = _Ours(name="django-jobs-scheduler", daemon=True)
        if not burst:
            ours.start()
        try:
            super().run(burst)
        finally:
            ours.end()
            if ours.is_alive():
                ours.join()


class _Ours(threading.Thread):
    """Does our scheduler's duties until it is asked to end: also after the database was away, or took it for dead."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._over = threading.Event()
        self._duties = Stop()

    def run(self) -> None:
        while True:
            stop = self._duties = Stop()
            if self._over.is_set():
                return
            try:
                _schedule(stop)
            except Exception:
                logger.exception("The scheduler's duties ended; they are taken up again in %g s", REST)
            self._over.wait(REST)

    def end(self) -> None:
        self._over.set()
        self._duties.request()


def _schedule(stop: Stop) -> None:
    name = f"rqscheduler {socket.gethostname()}:{os.getpid()}"
    try:
        row = register(name, Server.Kind.SCHEDULER, _options(name))
        measure_clock()
        Scheduler(row, stop).run()
        row.delete()
    finally:
        connections.close_all()


def _options(name: str) -> ServerOptions:
    return ServerOptions(name=name, queues=[], types=[], address="")
