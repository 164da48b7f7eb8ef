"""The watch over servers: what a dead one held goes back to its queue.

Every scheduler observes, so that a new leader knows at once how long a server has been silent; only the leader acts.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta

from .. import alerts, clock, monitoring, states
from ..conf import settings
from ..models import Server
from ..states import machine

logger = logging.getLogger("django_jobs.server")


class Watchdog:
    """Declares a process dead when its heartbeat has not changed for ``SERVER_TIMEOUT``.

    It looks at the change, not at the time that the heartbeat carries: that was written by another host's clock, and
    clocks step. One that was itself cut off (database away, laptop asleep) begins anew and so waits one whole time-out:
    the others could not show a sign of life either.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[datetime, float]] = {}
        self._last_look = time.monotonic()

    def observe(self) -> None:
        """Note which heartbeats have changed. A question that is answered late, or not at all, is no look."""
        rows = list(Server.objects.using(settings.DATABASE).values_list("pk", "heartbeat_at"))
        now = time.monotonic()
        if now - self._last_look > settings.SERVER_TIMEOUT / 2:
            self._seen.clear()
        self._last_look = now
        known = self._seen
        self._seen = {pk: known[pk] if known.get(pk, (None,))[0] == beat else (beat, now) for pk, beat in rows}

    def act(self) -> None:
        """Put back what dead workers held, and forget dead processes."""
        silent = self._silent()
        workers = Server.objects.using(settings.DATABASE).filter(pk__in=silent, parent__isnull=False)
        for row in workers:
            self._bury(row)
        self._release_ownerless()
        supervisors = Server.objects.using(settings.DATABASE).filter(pk__in=silent, parent=None, children=None)
        for row in supervisors:
            logger.warning("Server %s shows no sign of life", row.name)
            alerts.server_died(row)
            row.delete()

    def _silent(self) -> list[int]:
        """By what was seen last: a leader whose other duties were held up since then has seen nobody's sign of life."""
        until = self._last_look - settings.SERVER_TIMEOUT
        return [pk for pk, (_, since) in self._seen.items() if since < until]

    def _bury(self, row: Server) -> None:
        back = machine.release(row.name, f"Put back: no sign of life from worker {row.name}")
        row.delete()
        if row.kind == Server.Kind.WORKER:
            logger.warning("Worker %s shows no sign of life; %d job(s) went back", row.name, len(back))

    def _release_ownerless(self) -> None:
        """Jobs whose worker has no row: it was removed by hand, or somebody died between two lines."""
        before = clock.now() - timedelta(seconds=settings.SERVER_TIMEOUT)
        held = monitoring.jobs().filter(state=states.PROCESSING, state_at__lt=before)
        holders = set(held.order_by().values_list("worker", flat=True).distinct())
        known = set(Server.objects.using(settings.DATABASE).filter(name__in=holders).values_list("name", flat=True))
        for name in holders - known:
            back = machine.release(name, f"Put back: worker {name} is gone")
            logger.warning("Worker %s is gone; %d job(s) went back", name, len(back))
