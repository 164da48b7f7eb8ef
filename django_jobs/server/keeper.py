"""The side thread of a worker: acknowledges runs that waited long enough, gives back what waits behind a long job."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connections

from .. import events, queues
from ..conf import settings
from ..registry import registry
from ..states import FAILED, machine
from ..states.machine import Acknowledged
from ..states.statements import Claimed, Finish
from .hand import Hand
from .process import CLOCK_INTERVAL, POISON, measure_clock, persistently

logger = logging.getLogger("django_jobs.server")

LONG = 0.06
"""Seconds after which a running job counts as long, and what waits behind it goes back to the queue."""
TICK = 0.02
UNSTORABLE = "Its result or error cannot be stored"


class Keeper(threading.Thread):
    """Works on a database connection of its own, so that a job that runs long holds up neither record nor neighbour."""

    def __init__(self, hand: Hand, worker: str, heartbeat: Callable[[], None]) -> None:
        super().__init__(name="django-jobs-keeper", daemon=True)
        self.hand = hand
        self.worker = worker
        self.heartbeat = heartbeat
        self._end = threading.Event()
        self._next_heartbeat = 0.0
        self._next_clock = time.monotonic() + CLOCK_INTERVAL

    def run(self) -> None:
        try:
            while not self._end.is_set():
                self._round()
        finally:
            connections.close_all()

    def stop(self) -> None:
        self._end.set()
        self.hand.stirred.set()
        self.join()

    def _round(self) -> None:
        try:
            if time.monotonic() >= self._next_heartbeat:
                self._next_heartbeat = time.monotonic() + settings.HEARTBEAT_INTERVAL
                self.heartbeat()
            if time.monotonic() >= self._next_clock:
                self._next_clock = time.monotonic() + CLOCK_INTERVAL
                measure_clock()
            queues.ring(self.hand.take_postponed())
            self._acknowledge()
            give_back(
                self.hand.take_waiting(behind=LONG),
                self.worker,
                "Put back: another job that was taken with it runs long",
                self._end.is_set,
            )
        except DatabaseError as error:
            logger.warning("Worker %s: the database says %s; its keeper tries again", self.worker, str(error).strip())
            connections.close_all()
        except Exception:
            logger.exception("The keeper of worker %s failed; it goes on", self.worker)
            connections.close_all()
        self._pause()

    def _acknowledge(self) -> None:
        runs = self.hand.take_ended(older_than=settings.ACK_WINDOW / 2)
        try:
            acknowledge(runs, self.worker, self._end.is_set)
        except DatabaseError:
            self.hand.keep(runs)
            raise

    def _pause(self) -> None:
        """Tick while the hand holds something; else sleep until it does, or until the next heartbeat."""
        if not self.hand.empty:
            self._end.wait(TICK)
            return
        self.hand.stirred.clear()
        if self.hand.empty:
            self.hand.stirred.wait(max(0.0, self._next_heartbeat - time.monotonic()))


def acknowledge(runs: list[Finish], worker: str, gave_up: Callable[[], bool] = lambda: False) -> None:
    """Record how the runs ended, however long the database is away; then tell who waits for them.

    A set that the database refuses is halved until the culprit is alone; that one is Failed, the others stand.
    """
    if not runs:
        return
    try:
        what = f"{len(runs)} result(s) wait"
        report(persistently(lambda: machine.acknowledge(runs, worker), what, gave_up), worker)
    except POISON as error:
        if len(runs) > 1:
            middle = len(runs) // 2
            acknowledge(runs[:middle], worker, gave_up)
            acknowledge(runs[middle:], worker, gave_up)
        elif runs[0].reason.startswith(UNSTORABLE):
            raise
        else:
            acknowledge([_unstorable(runs[0], error)], worker, gave_up)


def _unstorable(run: Finish, error: Exception) -> Finish:
    """The run as a failure that says so, in place of one whose values cannot be stored."""
    logger.error("What job %d left behind cannot be stored", run.id, exc_info=error, extra={"job_id": run.id})
    reason = f"{UNSTORABLE}: {type(error).__name__}"
    data = json.dumps({"exception": type(error).__name__, "message": ascii(str(error))[:500]})
    return run._replace(state=FAILED, reason=reason, result=None, data=data, failed=1)


def report(answer: Acknowledged, worker: str) -> None:
    """Tell who waits for jobs that ended; log the runs that somebody else had taken over."""
    for run in answer.stale:
        logger.warning(
            "Worker %s: the result of run %d of job %d was dropped; the job had been given to somebody else or ended",
            worker,
            run.run,
            run.id,
            extra={"job_id": run.id},
        )
    if answer.done:
        events.publish("ended", ids=[run.id for run in answer.done])


def give_back(jobs: list[Claimed], worker: str, reason: str, gave_up: Callable[[], bool] = lambda: False) -> None:
    """Put claimed jobs back into their queue, uncounted."""
    if jobs:
        runs = [(job.id, job.run) for job in jobs]
        persistently(lambda: machine.give_back(runs, worker, reason), f"{len(jobs)} job(s) wait to go back", gave_up)


def takes_each(job: Claimed) -> bool:
    """Whether the job's type asks for an acknowledgement of its own."""
    job_type = registry.find(job.job_type)
    return job_type is not None and job_type.ack == "each"
