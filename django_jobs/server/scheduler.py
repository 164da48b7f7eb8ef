"""The scheduler process: the loops of which only the leader's do something."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections

from .. import clock, events
from ..conf import settings
from ..models import Server
from .cleaner import clean, fold_counters
from .dispatcher import dispatch_due, sweep
from .leader import Leadership
from .process import CLOCK_INTERVAL, Clockwork, Duty, Stop, Vitals, measure_clock, orphaned, sign_of_life
from .watchdog import Watchdog

logger = logging.getLogger("django_jobs.server")


class Scheduler:
    """Sleeps until the next thing is due, at most ``POLL_INTERVAL``, and is woken when something earlier arrives."""

    def __init__(self, row: Server, stop: Stop) -> None:
        self.row = row
        self.stop = stop
        self.leadership = Leadership(row.name)
        self._vitals = Vitals()
        watchdog = Watchdog()
        self._own = Clockwork(
            [
                Duty("The heartbeat", settings.HEARTBEAT_INTERVAL, self._sign_of_life),
                Duty("The clock", CLOCK_INTERVAL, measure_clock),
                Duty("The leadership", settings.LEADER_TIMEOUT / 4, self._lead),
                Duty("The watch", settings.SERVER_TIMEOUT / 10, watchdog.observe),
            ]
        )
        self._dispatch = Duty("The dispatcher", settings.POLL_INTERVAL, dispatch_due)
        self._leader = Clockwork(
            [
                self._dispatch,
                Duty("The sweep", settings.SWEEP_INTERVAL, sweep),
                Duty("The watchdog", settings.SERVER_TIMEOUT / 10, watchdog.act),
                Duty("The cleaner", settings.CLEANUP_INTERVAL, clean),
                Duty("The counters", settings.COUNTER_INTERVAL, fold_counters),
            ]
        )

    def run(self) -> None:
        with events.listen("scheduled") as listener:
            while not self.stop:
                pause = self._own.turn()
                if self.leadership.held:
                    pause = min(pause, self._leader.turn())
                close_old_connections()
                if not self.stop and pause > 0:
                    self._hear(listener.hear(min(pause, settings.POLL_INTERVAL)))
        try:
            self.leadership.resign()
        except DatabaseError as error:
            logger.warning("The leadership could not be handed over: %s", error)

    def _hear(self, event: dict[str, Any] | None) -> None:
        if event is not None:
            due = time.monotonic() + max(0.0, event["at"] - clock.now().timestamp())
            self._dispatch.due = min(self._dispatch.due, due)

    def _lead(self) -> None:
        held = self.leadership.held
        try:
            self.leadership.hold()
        except Exception:
            self.leadership.held = False
            raise
        if self.leadership.held and not held:
            logger.info("%s leads: it enqueues what is due and watches the servers", self.row.name)
        elif held and not self.leadership.held:
            logger.warning("%s no longer leads", self.row.name)

    def _sign_of_life(self) -> None:
        known = sign_of_life(self.row, **self._vitals.measure())
        if not known or orphaned(self.row.parent.pid if self.row.parent else 0):
            self.stop.request()
