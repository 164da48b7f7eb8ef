"""What waits to be written, of all runs of this process."""

from __future__ import annotations

import logging
import os
import threading

from django.db import DataError, IntegrityError

from . import store
from .record import Console

logger = logging.getLogger("django_jobs.console")


class Outbox:
    """Runs put themselves in when they have something to say; `flush` writes it for all of them in sets."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start anew in a forked process: what waited is the parent's to write, and so were its locks."""
        self.stirred = threading.Event()
        """Set when something waits."""
        self._waiting: dict[Console, None] = {}
        self._writing = threading.Lock()

    def stir(self, console: Console) -> None:
        self._waiting[console] = None
        if not self.stirred.is_set():
            self.stirred.set()

    def flush(self) -> None:
        """Write what waits, after what another thread is writing now. It costs nothing where nothing was said.

        Raises the database's errors; nothing is lost then.
        """
        if not self._waiting and not self._writing.locked():
            return
        with self._writing:
            consoles = self._taken()
            if not consoles:
                return
            try:
                store.write(consoles)
            except (DataError, IntegrityError, ValueError):
                logger.exception("What jobs said cannot be stored; it is given up")
                for console in consoles:
                    console.forget()
            except BaseException:
                for console in consoles:
                    self.stir(console)
                raise

    def _taken(self) -> list[Console]:
        taken = []
        while self._waiting:
            taken.append(self._waiting.popitem()[0])
        return taken


outbox = Outbox()
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=outbox.reset)
