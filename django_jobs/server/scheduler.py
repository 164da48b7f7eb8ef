"""The scheduler process: the loops of which only the leader's do something."""

from __future__ import annotations

import logging
import time
from typing import Any

from django.db import Error as DatabaseError
from django.db import close_old_connections

from .. import alerts, clock, events, monitoring, queues, slas, tallies
from ..conf import settings
from ..declared import watch_orphans
from ..models import Server
from ..policies import batches, limits
from . import recurring
from .cleaner import clean, fold_counters
from .dispatcher import dispatch_due, release, sweep
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
                Duty("The sweep of queues that the leader does not know", settings.SWEEP_INTERVAL, self._sweep),
            ]
        )
        self._timed = [
            Duty("The timetables", settings.POLL_INTERVAL, recurring.fire_due),
            Duty("The dispatcher", settings.POLL_INTERVAL, dispatch_due),
            Duty("The limits", settings.POLL_INTERVAL, limits.look_due),
        ]
        self._release = Duty("Batches and continuations", settings.SWEEP_INTERVAL, release)
        self._leader = Clockwork(
            [
                *self._timed,
                self._release,
                Duty("The sweep", settings.SWEEP_INTERVAL, sweep),
                Duty("The service levels", settings.SWEEP_INTERVAL, slas.look),
                Duty("The alerts", settings.SWEEP_INTERVAL, alerts.Watch().look),
                Duty("The declarations", settings.SWEEP_INTERVAL, watch_orphans),
                Duty("The watchdog", settings.SERVER_TIMEOUT / 10, watchdog.act),
                Duty("The cleaner", settings.CLEANUP_INTERVAL, clean),
                Duty("The idle limits", settings.CLEANUP_INTERVAL, limits.forget_idle),
                Duty("The counters", settings.COUNTER_INTERVAL, fold_counters),
                Duty("The counts of batches", settings.COUNTER_INTERVAL, batches.fold),
                *[Duty("The metrics", settings.METRICS_INTERVAL, tallies.add_up)] * bool(settings.METRICS_INTERVAL),
            ]
        )

    def run(self) -> None:
        with events.listen("scheduled", "released", "strange") as listener:
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
        if event is None:
            return
        if event["kind"] == "released":
            self._release.due = 0.0
        elif event["kind"] == "strange":
            self._ring(event["bells"], front=event["front"])
        else:
            due = time.monotonic() + max(0.0, event["at"] - clock.now().timestamp())
            for duty in self._timed:
                duty.due = min(duty.due, due)

    def _sweep(self) -> None:
        """Ring for queues of this application that the leader, which is another one's, does not know."""
        if not self.leadership.held:
            sweep(self._wards())

    def _ring(self, bells: list[list[Any]], *, front: bool) -> None:
        """Somebody who does not know these queues has enqueued jobs: the one whose duty that is rings for them."""
        wards = {*self._wards()}
        queues.ring([(pk, queue, priority) for pk, queue, priority in bells if queue in wards], front=front)

    def _wards(self) -> list[str]:
        """The queues for which this scheduler rings."""
        ringers = monitoring.ringers()
        return [queue for queue in queues.names() if ringers.get(queue) == self.row.name]

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
        if not known or (self.row.parent is not None and orphaned(self.row.parent.pid)):
            self.stop.request()
