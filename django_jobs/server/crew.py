"""Who runs the jobs that a worker holds: its main thread one by one, or a team of threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import connections

from .hand import Hand, Running
from .pace import Backlog, Pace
from .process import Freshness, Stop

logger = logging.getLogger("django_jobs.server")

LOOK = 0.1
"""Seconds between two looks whether the worker was asked to stop: a signal's handler may not wake a condition."""

Run = Callable[[Running], None]


class Alone:
    """The main thread runs what was claimed, then the next set is claimed."""

    def __init__(self, hand: Hand, run: Run, stop: Stop) -> None:
        self._hand = hand
        self._run = run
        self._stop = stop
        self._pace = Pace()

    def start(self) -> None: ...

    def finish(self) -> None: ...

    def room(self) -> int:
        """How many jobs to claim."""
        return self._pace.size

    def idle(self) -> None:
        self._pace.idle()

    def work(self) -> None:
        """Run what the hand holds."""
        began = time.monotonic()
        before = self._hand.done
        while not self._stop and (running := self._hand.next()) is not None:
            self._run(running)
        self._pace.learn(self._hand.done - before, time.monotonic() - began)


class Team:
    """Threads run what the main thread claims, each on database connections of its own."""

    def __init__(self, hand: Hand, run: Run, stop: Stop) -> None:
        self._hand = hand
        self._run = run
        self._stop = stop
        self._backlog = Backlog(hand.slots)
        self._over = False
        self._error: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._live, args=[slot], name=f"django-jobs-{slot + 1}", daemon=True)
            for slot in range(hand.slots)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Start nothing more, and wait until what runs has ended."""
        self._over = True
        self._hand.wake()
        for thread in self._threads:
            thread.join()

    def room(self) -> int:
        """How many jobs to claim, as soon as there is room; 0 when the worker is to stop before."""
        room = 0
        while not (room or self._stop):
            self.work()
            room = self._hand.room(self._backlog.size, LOOK)
        return room

    def idle(self) -> None: ...

    def work(self) -> None:
        """The threads do; what broke one of them breaks the worker."""
        if self._error is not None:
            raise self._error

    def _live(self, slot: int) -> None:
        freshness = Freshness()
        try:
            while (running := self._hand.wait_for_next(slot, self._is_over)) is not None:
                freshness.check()
                self._run(running)
                self._backlog.learn(time.monotonic() - running.since)
        except BaseException as error:
            logger.exception("A thread of the worker failed; the worker is replaced")
            self._error = error
        finally:
            connections.close_all()

    def _is_over(self) -> bool:
        return self._over or bool(self._stop)
