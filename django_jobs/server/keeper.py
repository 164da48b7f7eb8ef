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
from ..models import Counter
from ..states import DELETED, FAILED, machine
from ..states.machine import Acknowledged
from ..states.patience import PAUSES
from ..states.statements import Claimed, Finish
from .hand import Hand
from .process import POISON, persistently
from .scribe import write_consoles

logger = logging.getLogger("django_jobs.server")

LONG = 0.06
"""Seconds after which a running job counts as long, and what waits behind it goes back to the queue."""
TICK = 0.02
REST = 5.0
"""Seconds after which a keeper with nothing to do looks again, though nobody stirred it."""
UNSTORABLE = "Its result or error cannot be stored"


class Keeper(threading.Thread):
    """Works on a database connection of its own, so that a job that runs long holds up neither record nor neighbour."""

    def __init__(self, hand: Hand, worker: str) -> None:
        super().__init__(name="django-jobs-keeper", daemon=True)
        self.hand = hand
        self.worker = worker
        self._end = threading.Event()

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
            queues.ring(self.hand.take_postponed())
            self._acknowledge()
            reason = "Put back: jobs that were taken with it run long"
            if left := give_back(self.hand.take_waiting(behind=LONG), self.worker, reason, self._end.is_set):
                self.hand.deal(left)
        except DatabaseError as error:
            logger.warning("Worker %s: the database says %s; its keeper tries again", self.worker, str(error).strip())
            connections.close_all()
        except Exception:
            logger.exception("The keeper of worker %s failed; it goes on", self.worker)
            connections.close_all()
        self._pause()

    def _acknowledge(self) -> None:
        runs = self.hand.take_due(settings.ACK_WINDOW / 2)
        try:
            self.hand.defer(acknowledge(runs, self.worker, self._end.is_set))
        except DatabaseError:
            self.hand.keep(runs)
            raise

    def _pause(self) -> None:
        """Tick while the hand holds something; else sleep until it does."""
        if not self.hand.empty:
            self._end.wait(TICK)
            return
        self.hand.stirred.clear()
        if self.hand.empty:
            self.hand.stirred.wait(REST)


def acknowledge(runs: list[Finish], worker: str, gave_up: Callable[[], bool] = lambda: False) -> list[Finish]:
    """Record how the runs ended, however long the database is away; then tell who waits for them.

    A set that the database refuses is halved until the culprit is alone; that one is Failed, the others stand.
    Returns the runs that are to be tried again later, since a filter raised.
    """
    if not runs:
        return []
    try:
        what = f"{len(runs)} result(s) wait"
        return report(persistently(lambda: _record(runs, worker), what, gave_up), worker)
    except POISON as error:
        if len(runs) > 1:
            middle = len(runs) // 2
            return acknowledge(runs[:middle], worker, gave_up) + acknowledge(runs[middle:], worker, gave_up)
        if runs[0].reason.startswith(UNSTORABLE):
            raise
        return acknowledge([_unstorable(runs[0], error)], worker, gave_up)


def finish_deferred(hand: Hand, worker: str, gave_up: Callable[[], bool]) -> None:
    """Before the worker ends: try what filters did not let be recorded, as often as it may be, with the pauses."""
    while runs := hand.take_deferred():
        if not gave_up():
            time.sleep(max(PAUSES[run.tries - 1] for run in runs))
        hand.defer(acknowledge(runs, worker, gave_up))


def _record(runs: list[Finish], worker: str) -> Acknowledged:
    write_consoles()
    return machine.acknowledge(runs, worker)


def _unstorable(run: Finish, error: Exception) -> Finish:
    """The run as a failure that says so, in place of one whose values cannot be stored."""
    logger.error("What job %d left behind cannot be stored", run.id, exc_info=error, extra={"job_id": run.id})
    reason = f"{UNSTORABLE}: {type(error).__name__}"
    data = json.dumps({"exception": type(error).__name__, "message": ascii(str(error))[:500]})
    return run._replace(state=FAILED, reason=reason, result=None, data=data, failed=1)


def report(answer: Acknowledged, worker: str) -> list[Finish]:
    """Tell who waits for jobs that ended; log the runs that somebody else had taken over; return those to try again."""
    for run in answer.stale:
        if run.state == DELETED:
            logger.info("Job %d was cancelled; its run %d has ended", run.id, run.run, extra={"job_id": run.id})
            continue
        logger.warning(
            "Worker %s: the result of run %d of job %d was dropped; the job had been given to somebody else or ended",
            worker,
            run.run,
            run.id,
            extra={"job_id": run.id},
        )
        _count_dropped()
    if answer.done:
        events.publish("ended", ids=[run.id for run in answer.done])
    return answer.waiting


def _count_dropped() -> None:
    """For the metrics alone: what goes wrong here must not keep anybody from hearing of the other runs."""
    try:
        Counter.add(settings.DATABASE, Counter.DROPPED, 1)
    except DatabaseError as error:
        logger.warning("A write that was dropped was not counted: %s", str(error).strip())


def give_back(
    jobs: list[Claimed], worker: str, reason: str, gave_up: Callable[[], bool] = lambda: False
) -> list[Claimed]:
    """Put claimed jobs back into their queue, uncounted; returns those that stay ours, since a filter raised."""
    if not jobs:
        return []
    runs = [(job.id, job.run) for job in jobs]
    what = f"{len(jobs)} job(s) wait to go back"
    gone = {row.id for row in persistently(lambda: machine.give_back(runs, worker, reason), what, gave_up)}
    left = [(number, run) for number, run in runs if number not in gone]
    ours = persistently(lambda: machine.held(left, worker), what, gave_up) if left else set()
    return [job for job in jobs if (job.id, job.run) in ours]
