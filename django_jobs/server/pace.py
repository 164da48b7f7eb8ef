"""How large the sets are that a worker claims."""

from __future__ import annotations

from ..conf import settings


class Pace:
    """How many jobs to claim at once: one when they are long, more as long as a set takes only milliseconds."""

    TARGET = 0.02
    """Seconds that one set should take."""

    def __init__(self) -> None:
        self.size = 1

    def learn(self, count: int, seconds: float) -> None:
        if not count:
            return
        fitting = int(self.TARGET * count / max(seconds, 1e-6))
        self.size = max(1, min(fitting, self.size * 2, settings.BATCH))

    def idle(self) -> None:
        """The queue ran dry: share what comes next with the other workers."""
        self.size = max(1, self.size // 4)
