"""The one clock. Nothing else in django_jobs asks Django or Python for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Aware UTC time: the host's wall clock, or the database's once it was measured.

    Servers measure (`anchor`) so that hosts whose clocks differ agree on what is due; between two measurements the
    time follows the monotonic clock and cannot step. Clients read the wall clock.
    """

    def __init__(self) -> None:
        self._origin: float | None = None

    def now(self) -> datetime:
        if self._origin is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._origin + time.monotonic(), UTC)

    def anchor(self, truth: datetime) -> float:
        """Follow `truth` from here on; returns by how many seconds the clock was behind it."""
        drift = (truth - self.now()).total_seconds()
        self._origin = truth.timestamp() - time.monotonic()
        return drift

    def follow(self, other: Clock) -> None:
        """Show the same time as a clock of another process of this host."""
        self._origin = other._origin

    def release(self) -> None:
        """Go back to the host's wall clock."""
        self._origin = None


clock = Clock()
now = clock.now
