"""The side thread of a worker for Redis."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from rq.command import handle_command, parse_payload
from rq.suspension import is_suspended
from rq.worker import WorkerStatus

from .. import queues
from . import orders

if TYPE_CHECKING:
    from .worker import JobWorker

logger = logging.getLogger("django_jobs.server")


class Ear(threading.Thread):
    """RQ's registration, heartbeat, command channel and suspension. It outlives outages."""

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
                    self._obey(parse_payload(message))
        finally:
            pubsub.close()

    def _obey(self, payload: dict[str, Any]) -> None:
        if not orders.obey(payload, self.worker.shared):
            handle_command(self.worker, payload)

    def _sign_of_life(self) -> None:
        """Register where Redis does not know us (at the start, after a flush), say what we do, hear of a suspension."""
        worker = self.worker
        if not self.client.exists(worker.key):
            worker.register_birth()  # type: ignore[no-untyped-call]
        if self._troubled:
            logger.info("Worker %s: Redis is back", worker.name)
            self._troubled = False
        worker.suspended = bool(is_suspended(self.client, worker))
        state = WorkerStatus.SUSPENDED if worker.quiet else WorkerStatus.BUSY if worker.hand.busy else WorkerStatus.IDLE
        if state != worker.get_state():
            worker.set_state(state)
