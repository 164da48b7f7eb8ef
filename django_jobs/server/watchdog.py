"""The leader's watch over servers: what a dead one held goes back to its queue."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from .. import clock, monitoring, states
from ..conf import settings
from ..models import Server
from ..states import machine

logger = logging.getLogger("django_jobs.server")


class Watchdog:
    """Declares a process dead when its heartbeat is older than ``SERVER_TIMEOUT``.

    A watchdog that was itself cut off (database away, laptop asleep) first waits one whole time-out, since the others
    could not show a sign of life either.
    """

    def __init__(self) -> None:
        self._trusted_from = time.monotonic()
        self._last_round = time.monotonic()

    def look(self) -> None:
        timeout = settings.SERVER_TIMEOUT
        now = time.monotonic()
        if now - self._last_round > timeout / 2:
            self._trusted_from = now + timeout
        self._last_round = now
        if now < self._trusted_from:
            return
        before = clock.now() - timedelta(seconds=timeout)
        self._bury_workers(before)
        self._release_ownerless(before)
        self._forget_supervisors(before)

    def _bury_workers(self, before: object) -> None:
        dead = Server.objects.using(settings.DATABASE).filter(heartbeat_at__lt=before, parent__isnull=False)
        for row in dead.select_related("parent"):
            back = machine.release(row.name, f"Put back: no sign of life from worker {row.name}")
            row.delete()
            if row.kind == Server.Kind.WORKER:
                logger.warning("Worker %s shows no sign of life; %d job(s) went back", row.name, len(back))

    def _release_ownerless(self, before: object) -> None:
        """Jobs whose worker has no row: it was removed by hand, or somebody died between two lines."""
        held = monitoring.jobs().filter(state=states.PROCESSING, state_at__lt=before)
        holders = set(held.order_by().values_list("worker", flat=True).distinct())
        known = set(Server.objects.using(settings.DATABASE).filter(name__in=holders).values_list("name", flat=True))
        for name in holders - known:
            back = machine.release(name, f"Put back: worker {name} is gone")
            logger.warning("Worker %s is gone; %d job(s) went back", name, len(back))

    def _forget_supervisors(self, before: object) -> None:
        dead = Server.objects.using(settings.DATABASE).filter(heartbeat_at__lt=before, parent=None, children=None)
        for row in dead:
            logger.warning("Server %s shows no sign of life", row.name)
            row.delete()
