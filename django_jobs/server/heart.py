"""What a worker does regularly, on a thread and a connection of its own: no lock that its writes wait for stops it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connections

from ..conf import settings
from . import orders
from .process import CLOCK_INTERVAL, Clockwork, Duty, measure_clock

logger = logging.getLogger("django_jobs.server")


class Heart(threading.Thread):
    """Shows a sign of life, and looks for what is asked of the runs. What else waits for the database may wait for
    minutes; this must not, or a worker that lives would be taken for dead."""

    def __init__(self, worker: str, beat: Callable[[], None]) -> None:
        super().__init__(name="django-jobs-heart", daemon=True)
        self._end = threading.Event()
        self._duties = Clockwork(
            [
                Duty(f"The heartbeat of {worker}", settings.HEARTBEAT_INTERVAL, beat),
                Duty("The orders", settings.HEARTBEAT_INTERVAL / 2, lambda: orders.look(worker)),
                Duty("The clock", CLOCK_INTERVAL, measure_clock),
            ]
        )

    def run(self) -> None:
        try:
            while not self._end.wait(self._duties.turn()):
                pass
        finally:
            connections.close_all()

    def stop(self) -> None:
        self._end.set()
        self.join()
