"""What a worker holds: jobs claimed and waiting, the one that runs, and runs that are not yet acknowledged."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable

from ..states.statements import Claimed, Finish


class Hand:
    """Shared by the thread that runs jobs and the keeper. Every job is handed out exactly once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Claimed] = deque()
        self._ended: list[Finish] = []
        self._ended_since = 0.0
        self._postponed: list[tuple[float, tuple[int, str, int]]] = []
        self.running: Claimed | None = None
        self.running_since = 0.0
        self.stirred = threading.Event()
        """Set when the keeper may have something to do."""

    def postpone(self, bells: Iterable[tuple[int, str, int]], seconds: float) -> None:
        """Keep bells of jobs that somebody else has locked; the keeper rings them later, so that nothing spins."""
        with self._lock:
            self._postponed += [(time.monotonic() + seconds, bell) for bell in bells]

    def take_postponed(self, *, all: bool = False) -> list[tuple[int, str, int]]:
        """The bells whose time has come."""
        with self._lock:
            now = time.monotonic()
            due = [bell for at, bell in self._postponed if all or at <= now]
            self._postponed = [] if all else [(at, bell) for at, bell in self._postponed if at > now]
            return due

    def deal(self, jobs: Iterable[Claimed]) -> None:
        with self._lock:
            self._waiting.extend(jobs)

    def next(self) -> Claimed | None:
        """The next job to run; it counts as running from now on."""
        with self._lock:
            self.running = self._waiting.popleft() if self._waiting else None
            self.running_since = time.monotonic()
            return self.running

    def end(self, run: Finish) -> None:
        with self._lock:
            self.running = None
            if not self._ended:
                self._ended_since = time.monotonic()
            self._ended.append(run)

    def take_ended(self, older_than: float = 0.0) -> list[Finish]:
        """The runs to acknowledge, when the first of them has waited for so many seconds."""
        with self._lock:
            if not self._ended or time.monotonic() - self._ended_since < older_than:
                return []
            taken, self._ended = self._ended, []
            return taken

    def keep(self, runs: list[Finish]) -> None:
        """Take back runs that could not be acknowledged."""
        with self._lock:
            self._ended = runs + self._ended

    def take_waiting(self, behind: float = 0.0) -> list[Claimed]:
        """The jobs that wait, when the running one has taken so many seconds already."""
        with self._lock:
            if behind and (self.running is None or time.monotonic() - self.running_since < behind):
                return []
            taken = list(self._waiting)
            self._waiting.clear()
            return taken

    @property
    def empty(self) -> bool:
        return not (self._waiting or self._ended or self._postponed or self.running is not None)
