"""The supervisor: one `runjobs`. It forks the children, sees at once when one dies, and stops them in good order."""

from __future__ import annotations

import logging
import os
import secrets
import select
import signal
import sys
import time

from django.db import Error as DatabaseError
from django.db import connections

from .. import queues, slas
from ..conf import settings
from ..declared import sync
from ..models import Server
from ..states import asking, machine
from . import orders, overrun
from .children import PROBE, SCHEDULER, WORKER, Child, child_main, ended
from .health import Pulse
from .process import (
    CLOCK_INTERVAL,
    ENDED,
    RECYCLE,
    Clockwork,
    Duty,
    ServerOptions,
    Stop,
    Vitals,
    close_connections,
    measure_clock,
    persistently,
    prepare_database,
    register,
    sign_of_life,
)
from .shared import Shared

logger = logging.getLogger("django_jobs.server")


class Supervisor:
    """Holds no thread and, while it forks, no connection: children inherit nothing that they could break."""

    def __init__(self, options: ServerOptions, health_port: int | None = None) -> None:
        self.options = options
        self.pulse = Pulse()
        self.health_port = health_port
        self.stop = Stop()
        self.spawned = 0
        # Children of an earlier server of this name may still be alive, or hold jobs: no two may share a name.
        self.start = secrets.token_hex(2)
        groups = queues.by_connection(options.queues)
        self.children = [
            Child(WORKER, group, shared=Shared(options.threads)) for group in groups for _ in range(options.processes)
        ]
        if options.scheduler:
            self.children.append(Child(SCHEDULER, options.queues))
        if health_port is not None:
            self.children.append(Child(PROBE, []))
        self._vitals = Vitals()
        self._duties = Clockwork(
            [
                Duty("The heartbeat", settings.HEARTBEAT_INTERVAL, self._sign_of_life),
                Duty("The orders", 1.0, self._follow_orders),
                Duty("The time limits", 0.5, lambda: overrun.kill_late(self._living())),
                Duty("The clock", CLOCK_INTERVAL, measure_clock),
            ]
        )

    def run(self) -> None:
        """Work until asked to stop, or until a burst is over."""
        prepare_database()
        measure_clock()
        self.row = register(self.options.name, Server.Kind.SUPERVISOR, self.options)
        sync()
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        self.stop.on_signals()
        logger.info(
            "Server %s started: %d worker(s) on %s", self.row.name, len(self._workers()), ", ".join(self.options.queues)
        )
        while not self.stop and not self._over():
            self._spawn_missing()
            self._sleep(min(self._duties.turn(), 1.0))
            self._reap("died")
        self._end()

    def _over(self) -> bool:
        """Whether every worker has ended by itself and none is to come back."""
        return bool(self._workers()) and all(child.respawn_at == float("inf") for child in self._workers())

    def _workers(self) -> list[Child]:
        return [child for child in self.children if child.kind == WORKER]

    def _living(self) -> list[Child]:
        return [child for child in self._workers() if child.pid]

    def _sleep(self, seconds: float) -> None:
        """Wait; a signal (a child that died, a request to stop) ends the wait."""
        connections.close_all()
        if select.select([self._wake], [], [], seconds)[0]:
            os.read(self._wake, 4096)

    def _spawn_missing(self) -> None:
        for child in self.children:
            if not child.pid and time.monotonic() >= child.respawn_at:
                self._spawn(child)

    def _spawn(self, child: Child) -> None:
        self.spawned += 1
        child.name = f"{self.row.name}/{self.start}.{self.spawned}"
        child.born = time.monotonic()
        child.shared.clear()
        child.overran = []
        close_connections()
        queues.hang_up()
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            child.pid = os.fork()
        except OSError as error:
            logger.error("No process can be made for %s, trying again: %s", child.name, error)
            child.respawn_at = time.monotonic() + 1
            return
        if not child.pid:
            child_main(child, self)

    def _reap(self, how: str) -> None:
        """See which children ended, and put back at once what they held."""
        for child in self.children:
            if child.pid and (status := ended(child.pid)) is not None:
                pid, child.pid = child.pid, 0
                self._bury(child, pid, status, how)

    def _bury(self, child: Child, pid: int, status: int, how: str) -> None:
        code = os.waitstatus_to_exitcode(status)
        reason = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        lived = time.monotonic() - child.born
        if code == ENDED or (code in {0, RECYCLE} and self.stop):
            child.respawn_at = float("inf")
            logger.info("%s %s (pid %d) ended", child.kind.capitalize(), child.name, pid)
        elif child.shared.condemned:
            how, reason = "was ended", overrun.REASON if child.overran else orders.FORCED
            logger.info("Worker %s (pid %d) %s: %s", child.name, pid, how, reason)
        elif code == RECYCLE:
            logger.info("%s %s (pid %d) is replaced by a fresh one", child.kind.capitalize(), child.name, pid)
        else:
            child.failures = 0 if lived > 60 else child.failures + 1
            pause = 0 if child.failures <= 1 else min(2 ** (child.failures - 1), 30)
            child.respawn_at = time.monotonic() + pause
            logger.error("%s %s (pid %d) %s: %s", child.kind.capitalize(), child.name, pid, how, reason)
        try:
            told = f"Worker {child.name} {how}: {reason}"
            persistently(lambda: self._take_over(child, told, how), "A dead child waits", lambda: bool(self.stop))
        except DatabaseError as error:
            logger.warning("What %s held is left to the watchdog: %s", child.name, error)

    def _take_over(self, child: Child, reason: str, how: str) -> None:
        """Only jobs that were running when it died count the death, and only one that nobody asked for."""
        if child.kind == WORKER:
            ran = sorted(slot.job_id for slot in child.shared.running())
            slas.observe_killed(ran, child.name)
            for job_id in ran if how == "died" else ():
                if machine.bury(job_id, child.name, reason):
                    logger.error("Job %d was running when %s", job_id, reason, extra={"job_id": job_id})
            overrun.fail(child.overran, child.name)
            machine.release(child.name, f"Put back: {reason}")
            asking.settle(ran, child.name)
        Server.objects.using(settings.DATABASE).filter(name=child.name).delete()

    def _end(self) -> None:
        """Stop the children: what runs may end within `grace` seconds; then, or at a second signal, they are killed."""
        logger.info("Server %s stops; running jobs have %g s to end", self.row.name, self.options.grace)
        deadline = time.monotonic() + self.options.grace
        self._signal(signal.SIGTERM)
        while any(child.pid for child in self.children):
            if self.stop.now or time.monotonic() > deadline:
                self._signal(signal.SIGKILL)
            self._sleep(0.2)
            self._reap("was stopped before its job ended")
            self._duties.turn()
        try:
            Server.objects.using(settings.DATABASE).filter(pk=self.row.pk).delete()
        except DatabaseError as error:
            logger.warning("The row of server %s is left to the watchdog: %s", self.row.name, error)
        logger.info("Server %s stopped", self.row.name)

    def _signal(self, signum: int) -> None:
        for child in self.children:
            if child.pid:
                try:
                    os.kill(child.pid, signum)
                except ProcessLookupError:
                    pass

    def _sign_of_life(self) -> None:
        living = self._living()
        busy = sum(len(child.shared.running()) for child in living)
        if not sign_of_life(self.row, busy=busy, **self._vitals.measure()):
            logger.warning("Server %s had been declared dead; it registers again", self.row.name)
            self.row = register(self.options.name, Server.Kind.SUPERVISOR, self.options)
        self.pulse.beat(len(living))

    def _follow_orders(self) -> None:
        """What an administrator asked of this server, by its row."""
        rows = Server.objects.using(settings.DATABASE).filter(pk=self.row.pk)
        wanted = rows.values_list("wanted", flat=True).first() or ""
        for child in self._workers():
            child.shared.quiet = wanted == Server.Wanted.QUIET
        orders.end_condemned({slot.job_id: child for child in self._living() for slot in child.shared.running()})
        if wanted == Server.Wanted.STOP and not self.stop:
            logger.info("Server %s was asked to stop", self.row.name)
            self.stop.request()
