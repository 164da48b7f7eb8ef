"""Requests that wait for a job's end: a few at once, since each holds a thread of the web server meanwhile."""

from __future__ import annotations

from threading import BoundedSemaphore

from .. import client
from ..exceptions import StillRunning
from ..models import Job
from ..streams.response import let_go
from .events import Busy

LONGEST = 30.0
"""Most seconds that a request may wait."""
MOST = 50
"""Requests that may wait at once in this process."""

places = BoundedSemaphore(MOST)


def ended(job_id: int, seconds: float) -> Job | None:
    """The job once it has ended; None where it has not after that time. Raises Busy where no place is free.

    It holds a connection to Redis, and one to the database only while it looks, unless it is in a transaction.
    """
    if not places.acquire(blocking=False):
        raise Busy("This process has as many waiting requests as it may have; ask without wait, or later.")
    try:
        return client.wait(job_id, seconds, before_pause=let_go)
    except StillRunning:
        return None
    finally:
        places.release()
