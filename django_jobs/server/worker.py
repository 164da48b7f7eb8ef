"""The worker: an RQ worker that takes jobs in sets. It keeps RQ's registration, heartbeat, commands and suspension.

Fetching and executing are its own (RQ's loop ends on every error of Redis, and takes one job at a time). Entries of the
queue that are not bells are RQ's own jobs, and run by RQ's code.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from typing import Any

from django.db import Error as DatabaseError
from rq.exceptions import NoSuchJobError
from rq.job import Job as RQJob
from rq.worker import SimpleWorker, WorkerStatus

from .. import control, eventloop, execution, monitoring, queues, slas, states
from ..conf import settings
from ..models import Server
from ..registry import JobType, registry
from ..states import machine
from ..states.statements import Claimed, Finish
from . import routing
from .crew import Alone, Team
from .ear import Ear
from .hand import Hand, Running
from .heart import Heart
from .keeper import Keeper, acknowledge, finish_deferred, give_back, report
from .lists import Lists
from .process import POISON, Freshness, ServerOptions, Stop, Vitals, orphaned, persistently, sign_of_life
from .scribe import Scribe, write_consoles
from .shared import Shared
from .zygote import Zygote, ZygoteGone

logger = logging.getLogger("django_jobs.server")


class JobWorker(SimpleWorker):
    """One child process of `runjobs`: claims sets of jobs, runs them, acknowledges them in sets."""

    def __init__(
        self,
        names: Sequence[str],
        options: ServerOptions,
        row: Server,
        stop: Stop,
        shared: Shared,
        zygote: Zygote | None = None,
    ) -> None:
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
        self.hand = Hand(options.threads)
        crew = Alone if options.threads == 1 else Team
        self.crew: Alone | Team = crew(self.hand, self._run, stop)
        self._freshness = Freshness()
        self._vitals = Vitals()
        self.suspended = False
        self.shared = shared
        self._zygote = zygote
        self._keeper = Keeper(self.hand, row.name)
        self._heart = Heart(row.name, self._sign_of_life)
        self._scribe = Scribe()
        self._ear = Ear(self)

    def _set_connection(self, connection: Any) -> Any:
        return connection  # RQ would raise the socket's time-out to seven minutes

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Take and run jobs until asked to stop; True when the process should be replaced by a fresh one."""
        control.runs.stop = self.stop
        eventloop.shared.open()
        self._heart.start()
        self._ear.start()
        self._keeper.start()
        self._scribe.start()
        self.crew.start()
        recycle = False
        try:
            while not self.stop and not recycle:
                if not self._cycle() and self.options.burst and not self.hand.busy:
                    break
                recycle = self._worn_out()
        finally:
            control.runs.stop = True  # also of a worker that only makes way for a fresh one: no job is to keep it long
            self.crew.finish()
            control.runs.stop = self.stop
            eventloop.shared.close()
            self._keeper.stop()
            self._scribe.stop()
            self._put_everything_back()
            self._ear.stop()
            self._heart.stop()
        return recycle or self._declared_dead

    def _cycle(self) -> bool:
        """One round: pop bells, acknowledge the last set and claim the next, run it. False when there was nothing."""
        if self.quiet:
            self._exchange([])
            self.stop.event.wait(0.2)
            return True
        room = self.crew.room()
        popped = self._pop(room) if room else ("", [])
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
        return self.suspended or self.shared.quiet

    def _pop(self, room: int) -> tuple[str, list[str]] | None:
        """The next bells. What has ended is acknowledged together with their claim, or now when no bell is there."""
        try:
            keys = self.lists.in_order()
            popped = queues.pop(self.client, keys, room, 0) if keys else None
            if popped is None:
                self._exchange([])
                self.crew.idle()
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
        if claimed:
            self.hand.deal(claimed)
        self.hand.stirred.set()
        self.crew.work()

    def _run(self, running: Running) -> None:
        job = running.job
        job_type = registry.find(job.job_type)
        run: Finish | None
        if job_type is not None and job_type.isolation and self._zygote is not None:
            self.shared.begin(running.slot, job.id, job.run)
            run = self._run_isolated(job, job_type, self._zygote)
        else:
            limit = job_type.hard_limit if job_type is not None else 0.0
            self.shared.begin(running.slot, job.id, job.run, limit and running.since + limit)
            run = execution.run(job, self.name, outside=True)
        if os.getpid() != self.pid:
            os._exit(0)  # a process that the job forked came back from its function: it is no second worker
        if job_type is not None and job_type.has_sla and run is not None:
            slas.observe(job, run, job_type)
        each = job_type is not None and job_type.ack == "each" and run is not None
        taken = self.hand.take_ended(beside=run) if each else []
        self.hand.end(running, None if each else run)
        self.shared.end(running.slot)
        if taken:
            self.hand.defer(acknowledge(taken, self.name))

    def _run_isolated(self, job: Claimed, job_type: JobType, zygote: Zygote) -> Finish | None:
        """How the job ended in its process; None when it went back, since no process can be made for it any more."""
        try:
            return zygote.run(job, job_type, self.name, lambda: bool(control.runs.stop))
        except ZygoteGone:
            logger.error("Worker %s cannot make processes for isolated jobs any more; it is replaced", self.name)
            self._worn = True
            give_back([job], self.name, "Put back: its process could not be made", lambda: self.stop.now)
            return None

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
            write_consoles()
            if attempts > 1 and ids:
                self._put_back_unconfirmed(ids)
            return machine.exchange(runs, ids, self.types, self.name)

        what = f"{len(runs)} result(s) and {len(ids)} job(s) wait"
        try:
            answer, claimed = persistently(exchange, what, lambda: self.stop.now)
        except POISON:
            if not runs:
                logger.exception("Jobs %s cannot be claimed; the sweep rings for them again", ids)
                return []
            self.hand.defer(acknowledge(runs, self.name, lambda: self.stop.now))
            return self._exchange(ids)
        self.hand.defer(report(answer, self.name))
        if len(claimed) < len(ids):
            self._forward({*ids} - {job.id for job in claimed})
        place = {number: at for at, number in enumerate(ids)}
        return sorted(claimed, key=lambda job: place[job.id])

    def _put_back_unconfirmed(self, ids: list[int]) -> None:
        """A claim may have been committed without our hearing of it. What we hold, bells that come twice name too."""
        rows = monitoring.jobs().filter(pk__in=ids, state=states.PROCESSING, worker=self.name)
        unknown = set(rows.values_list("pk", "run")) - self.hand.keys()
        machine.give_back(unknown, self.name, "Put back: the claim was not confirmed")

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
        if self._worn:
            return True
        if options.max_jobs is not None and self.hand.done >= options.max_jobs:
            return True
        return options.max_memory is not None and self._vitals.memory > options.max_memory

    _declared_dead = False
    _worn = False

    def _sign_of_life(self) -> None:
        known = sign_of_life(self.row, busy=self.hand.busy, **self._vitals.measure())
        if not known:
            logger.warning("Worker %s had been declared dead; it makes way for a fresh one", self.name)
            self._declared_dead = True
        if not known or orphaned(self.row.parent.pid if self.row.parent else 0):
            self.stop.request()

    def _put_everything_back(self) -> None:
        queues.ring(self.hand.take_postponed(all=True))
        self.hand.defer(acknowledge(self.hand.take_ended(), self.name, lambda: self.stop.now))
        reason = "Put back: the worker stopped before it began"
        give_back(self.hand.take_waiting(), self.name, reason, lambda: self.stop.now)
        finish_deferred(self.hand, self.name, lambda: self.stop.now)
