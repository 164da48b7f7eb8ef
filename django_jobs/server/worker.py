"""The worker: an RQ worker that takes jobs in sets. It keeps RQ's registration, heartbeat, commands and suspension.

Fetching and executing are its own (RQ's loop ends on every error of Redis, and takes one job at a time). Entries of the
queue that are not bells are RQ's own jobs, and run by RQ's code.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from django.db import Error as DatabaseError
from rq.command import handle_command, parse_payload
from rq.exceptions import NoSuchJobError
from rq.job import Job as RQJob
from rq.suspension import is_suspended
from rq.worker import SimpleWorker, WorkerStatus

from .. import execution, queues
from ..conf import settings
from ..models import Server
from ..states import machine
from ..states.statements import Claimed
from . import routing
from .hand import Hand
from .keeper import Keeper, acknowledge, give_back, report, takes_each
from .lists import Lists
from .pace import Pace
from .process import POISON, Freshness, ServerOptions, Stop, Vitals, orphaned, persistently, sign_of_life
from .shared import Shared

logger = logging.getLogger("django_jobs.server")


class JobWorker(SimpleWorker):
    """One child process of `runjobs`: claims sets of jobs, runs them, acknowledges them in sets."""

    def __init__(self, names: Sequence[str], options: ServerOptions, row: Server, stop: Stop, shared: Shared) -> None:
        self.client = queues.connect(names[0], timeout=queues.BLOCK + 5)
        super().__init__(
            [queues.JobQueue(name, connection=self.client) for name in names],  # type: ignore[no-untyped-call]
            name=row.name,
            connection=self.client,
            queue_class=queues.JobQueue,
            worker_ttl=int(settings.SERVER_TIMEOUT),
        )
        self.options = options
        self.row = row
        self.stop = stop
        self.lists = Lists(names, options.address, options.weights)
        self.types = options.types
        self.hand = Hand()
        self.pace = Pace()
        self._freshness = Freshness()
        self._vitals = Vitals()
        self.suspended = False
        self.done = 0
        self._shared = shared
        self._keeper = Keeper(self.hand, row.name, self._sign_of_life)
        self._ear = Ear(self)

    def _set_connection(self, connection: Any) -> Any:
        return connection  # RQ would raise the socket's time-out to seven minutes

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Take and run jobs until asked to stop; True when the process should be replaced by a fresh one."""
        self._ear.start()
        self._keeper.start()
        recycle = False
        try:
            while not self.stop and not recycle:
                if not self._cycle() and self.options.burst:
                    break
                recycle = self._worn_out()
        finally:
            self._keeper.stop()
            self._put_everything_back()
            self._ear.stop()
        return recycle or self._declared_dead

    def _cycle(self) -> bool:
        """One round: pop bells, acknowledge the last set and claim the next, run it. False when there was nothing."""
        if self.quiet:
            self._exchange([])
            self.stop.event.wait(0.2)
            return True
        popped = self._pop()
        if popped is None:
            return False
        name, entries = popped
        try:
            if self.stop or self.quiet:
                queues.put_back(self.client, name, entries)
                return True
            ids, foreign, rest = queues.portion(entries)
            queues.put_back(self.client, name, rest)
            self._run_set(ids)
            self._run_foreign(name, foreign)
        except queues.Unreachable as error:  # our own bells are rung again by the sweep
            self._ear.report_trouble(error)
        return True

    @property
    def quiet(self) -> bool:
        """Whether to take no new jobs: `rq suspend`, or an order to this server."""
        return self.suspended or self._shared.quiet

    def _pop(self) -> tuple[str, list[str]] | None:
        """The next bells. What has ended is acknowledged together with their claim, or now when no bell is there."""
        try:
            keys = self.lists.in_order()
            popped = queues.pop(self.client, keys, self.pace.size, 0) if keys else None
            if popped is None:
                self._exchange([])
                self.pace.idle()
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
                popped = self._wait_for_bells(keys)
            return popped
        except queues.Unreachable as error:
            self._exchange([])
            self._ear.report_trouble(error)
            self.stop.event.wait(1.0)
            return "", []  # not None: nobody knows whether the queues are empty, and a burst is not over

    def _wait_for_bells(self, keys: list[str]) -> tuple[str, list[str]] | None:
        if not keys:  # every queue is paused
            self.stop.event.wait(0.0 if self.options.burst else 0.5)
            return None
        return queues.pop(self.client, keys, 1, 0.01 if self.options.burst else queues.BLOCK)

    def _run_set(self, ids: list[int]) -> None:
        claimed = self._exchange(ids)
        began = time.monotonic()
        self.hand.deal(claimed)
        self.hand.stirred.set()
        count = 0
        while not self.stop and (job := self.hand.next()) is not None:
            self._run(job)
            count += 1
        self.done += count
        self.pace.learn(count, time.monotonic() - began)

    def _run(self, job: Claimed) -> None:
        self._shared.job_id = job.id
        run = execution.run(job, self.name)
        if os.getpid() != self.pid:
            os._exit(0)  # a process that the job forked came back from its function: it is no second worker
        self.hand.end(run)
        self._shared.job_id = 0
        if takes_each(job):
            acknowledge(self.hand.take_ended(), self.name)

    def _exchange(self, ids: list[int]) -> list[Claimed]:
        """Acknowledge what has ended and claim `ids`, in one transaction; in the order in which the bells came."""
        runs = self.hand.take_ended()
        if not runs and not ids:
            return []
        self._freshness.check()
        attempts = 0

        def exchange() -> tuple[machine.Acknowledged, list[Claimed]]:
            nonlocal attempts
            attempts += 1
            if attempts > 1 and ids:  # the first try may have been committed without our hearing of it
                ours = {run.id for run in runs}  # a bell that came twice must not put back what has ended
                unsure = [number for number in ids if number not in ours]
                machine.release(self.name, "Put back: the claim was not confirmed", among=unsure)
            return machine.exchange(runs, ids, self.types, self.name)

        what = f"{len(runs)} result(s) and {len(ids)} job(s) wait"
        try:
            answer, claimed = persistently(exchange, what, lambda: self.stop.now)
        except POISON:
            if not runs:
                logger.exception("Jobs %s cannot be claimed; the sweep rings for them again", ids)
                return []
            acknowledge(runs, self.name, lambda: self.stop.now)
            return self._exchange(ids)
        report(answer, self.name)
        if len(claimed) < len(ids):
            self._forward({*ids} - {job.id for job in claimed})
        place = {number: at for at, number in enumerate(ids)}
        return sorted(claimed, key=lambda job: place[job.id])

    def _forward(self, ids: set[int]) -> None:
        """Deal with bells that could not be answered. It must not raise: what was claimed beside them is to be run."""
        try:
            self.lists.refresh()
            self.hand.postpone(routing.forward(ids, self.types), seconds=0.5)
        except DatabaseError as error:
            logger.warning("Worker %s: %d bell(s) are left to the sweep: %s", self.name, len(ids), str(error).strip())

    def _run_foreign(self, name: str, entries: list[str]) -> None:
        """A job of RQ's own is run by RQ's code."""
        if not entries:
            return
        queue = max((queue for queue in self.queues if name.startswith(queue.key)), key=lambda queue: len(queue.key))
        try:
            job = RQJob.fetch(entries[0], connection=self.client, serializer=queue.serializer)
        except NoSuchJobError:
            return
        self._exchange([])
        self.set_state(WorkerStatus.BUSY)
        self.execute_job(job, queue)
        self._freshness.check()

    def _worn_out(self) -> bool:
        """Whether this process has done its number of jobs, or grown too large."""
        options = self.options
        if options.max_jobs is not None and self.done >= options.max_jobs:
            return True
        return options.max_memory is not None and self._vitals.memory > options.max_memory

    _declared_dead = False

    def _sign_of_life(self) -> None:
        busy = int(self.hand.running is not None)
        known = sign_of_life(self.row, busy=busy, **self._vitals.measure())
        if not known:
            logger.warning("Worker %s had been declared dead; it makes way for a fresh one", self.name)
            self._declared_dead = True
        if not known or orphaned(self.row.parent.pid if self.row.parent else 0):
            self.stop.request()

    def _put_everything_back(self) -> None:
        queues.ring(self.hand.take_postponed(all=True))
        acknowledge(self.hand.take_ended(), self.name, lambda: self.stop.now)
        reason = "Put back: the worker stopped before it began"
        give_back(self.hand.take_waiting(), self.name, reason, lambda: self.stop.now)


class Ear(threading.Thread):
    """The side thread for Redis: RQ's registration, heartbeat, command channel and suspension. It outlives outages."""

    def __init__(self, worker: JobWorker) -> None:
        super().__init__(name="django-jobs-ear", daemon=True)
        self.worker = worker
        self.client = queues.connect(worker.queues[0].name, timeout=5.0)
        self._end = threading.Event()
        self._troubled = False

    def run(self) -> None:
        while not self._end.is_set():
            try:
                self._listen()
            except (queues.Unreachable, OSError) as error:
                self.report_trouble(error)
                self._end.wait(1.0)
            except Exception:
                logger.exception("The ear of worker %s failed; it goes on", self.worker.name)
                self._end.wait(1.0)

    def stop(self) -> None:
        self._end.set()
        self.join()
        try:
            self.worker.register_death()  # type: ignore[no-untyped-call]
        except (queues.Unreachable, OSError):
            pass

    def report_trouble(self, error: Exception) -> None:
        if not self._troubled:
            logger.warning("Worker %s: Redis cannot be reached, trying again every second: %s", self.worker.name, error)
        self._troubled = True

    def _listen(self) -> None:
        pubsub = self.client.pubsub()
        try:
            pubsub.subscribe(self.worker.pubsub_channel_name)
            while not self._end.is_set():
                self._sign_of_life()
                message = pubsub.get_message(ignore_subscribe_messages=True, timeout=0.5)
                if message is not None and message["type"] == "message":
                    handle_command(self.worker, parse_payload(message))
        finally:
            pubsub.close()

    def _sign_of_life(self) -> None:
        """Register where Redis does not know us (at the start, after a flush), say what we do, hear of a suspension."""
        worker = self.worker
        if not self.client.exists(worker.key):
            worker.register_birth()  # type: ignore[no-untyped-call]
        if self._troubled:
            logger.info("Worker %s: Redis is back", worker.name)
            self._troubled = False
        worker.suspended = bool(is_suspended(self.client, worker))
        busy = worker.hand.running is not None
        state = WorkerStatus.SUSPENDED if worker.quiet else WorkerStatus.BUSY if busy else WorkerStatus.IDLE
        if state != worker.get_state():
            worker.set_state(state)
