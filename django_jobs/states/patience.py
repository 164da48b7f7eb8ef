"""How often a filter has raised for a job in this process, and when it is asked again.

A filter that raises in a change of state is asked again after growing pauses, for its own job alone: the others of the
set go on. Then the job is Failed, and no filter of the site is asked about that.
"""

from __future__ import annotations

import logging
import time

from ..exceptions import FilterFailed

logger = logging.getLogger("django_jobs.filters")

PAUSES = (0.1, 0.5, 2.0, 6.0)
"""Seconds between one try and the next."""
FORGET = 600.0
"""Seconds after which a filter's failure is no longer held against a job."""


class Patience:
    """Tries by job. It lives in memory: a process that is replaced begins to count anew."""

    def __init__(self) -> None:
        self._tries: dict[int, tuple[int, float]] = {}

    def spend(self, job_id: int, failure: FilterFailed) -> float | None:
        """Count a try; returns the pause until the next, None when there is none left."""
        tries = self._tries.get(job_id, (0, 0.0))[0]
        if tries >= len(PAUSES):
            self._tries.pop(job_id, None)
            give_up(job_id, failure)
            return None
        now = time.monotonic()
        for old in [key for key, (_, due) in list(self._tries.items()) if now - due > FORGET]:
            self._tries.pop(old, None)
        self._tries[job_id] = (tries + 1, now + PAUSES[tries])
        complain(job_id, failure, PAUSES[tries])
        return PAUSES[tries]

    def waiting(self) -> list[int]:
        """The jobs whose pause is not over."""
        if not self._tries:
            return []
        now = time.monotonic()
        return [job_id for job_id, (_, due) in list(self._tries.items()) if due > now]

    def waits(self, job_id: int) -> bool:
        return bool(self._tries) and self._tries.get(job_id, (0, 0.0))[1] > time.monotonic()

    def next(self) -> float | None:
        """Seconds until a pause is over."""
        now = time.monotonic()
        return min((due - now for _, due in list(self._tries.values()) if due > now), default=None)


patience = Patience()


def complain(job_id: int, failure: FilterFailed, pause: float) -> None:
    logger.warning("Job %d: %s; next try in %g s", job_id, failure, pause, extra={"job_id": job_id})


def give_up(job_id: int, failure: FilterFailed) -> None:
    what = "Job %d: %s; the job is Failed, without asking filters"
    logger.error(what, job_id, failure, exc_info=failure.__cause__, extra={"job_id": job_id})
