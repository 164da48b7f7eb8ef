"""How large the sets are that a worker claims."""

from __future__ import annotations

from ..conf import settings

TARGET = 0.02
"""Seconds that one set should take."""


class Pace:
    """How many jobs to claim at once: one when they are long, more as long as a set takes only milliseconds."""

    def __init__(self) -> None:
        self.size = 1

    def learn(self, count: int, seconds: float) -> None:
        if not count:
            return
        fitting = int(TARGET * count / max(seconds, 1e-6))
        self.size = max(1, min(fitting, self.size * 2, settings.BATCH))

    def idle(self) -> None:
        """The queue ran dry: share what comes next with the other workers."""
        self.size = max(1, self.size // 4)


class Backlog:
    """How many jobs may wait for threads that are all busy: none when jobs are long, more the quicker they are."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._usual = 0.0
        """Seconds that a run takes of late."""
        self.size = 0

    def learn(self, seconds: float) -> None:
        self._usual = 0.8 * self._usual + 0.2 * seconds if self._usual else seconds
        fitting = int(TARGET * self._threads / max(self._usual, 1e-6))
        self.size = min(fitting, max(1, self.size * 2), settings.BATCH)
