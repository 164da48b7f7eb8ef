"""The side thread that writes what jobs say while they run. It sleeps as long as they say nothing."""

from __future__ import annotations

import logging
import threading

from django.db import Error as DatabaseError
from django.db import connections, transaction

from ..conf import settings
from ..console import outbox

logger = logging.getLogger("django_jobs.server")

SOON = 0.05
"""Seconds from a first word to its writing: what short jobs say is written with their acknowledgement instead."""
REST = 0.2
"""Seconds between two writings."""
TROUBLED = 1.0
"""Seconds of rest after the database failed."""


class Scribe(threading.Thread):
    """Works on a database connection of its own. Where a job's transaction holds SQLite, it waits; the job does not."""

    def __init__(self) -> None:
        super().__init__(name="django-jobs-scribe", daemon=True)
        self._end = threading.Event()

    def run(self) -> None:
        try:
            while not self._end.is_set():
                outbox.stirred.wait()
                self._end.wait(SOON)
                outbox.stirred.clear()
                self._end.wait(REST if write_consoles() else TROUBLED)
        finally:
            connections.close_all()

    def stop(self) -> None:
        """End; what is not written then is left to whoever acknowledges last."""
        self._end.set()
        outbox.stirred.set()
        self.join()


def write_consoles() -> bool:
    """Write what jobs have said so far; False when the database failed, nothing is lost then.

    Called before runs are acknowledged, so that who sees the end of a job sees its whole console.
    """
    try:
        outbox.flush()
    except DatabaseError as error:
        logger.warning("What jobs say waits to be written: the database says %s", str(error).strip())
    except Exception:
        logger.exception("What jobs say could not be written; it is tried again")
    else:
        return True
    transaction.get_connection(settings.DATABASE).close_if_unusable_or_obsolete()
    return False
