"""`runjobs --reload` for development: start again when a source file changes."""

from __future__ import annotations

import logging
import signal
import subprocess
from pathlib import Path

from django.utils.autoreload import StatReloader, get_child_arguments

from .process import Stop

logger = logging.getLogger("django_jobs.server")

LOOK = 1.0


def run_reloading() -> int:
    """Run this command line without ``--reload`` in a process of its own, anew after every change; its last status."""
    command = [argument for argument in get_child_arguments() if argument != "--reload"]
    stop = Stop()
    stop.on_signals()
    process = subprocess.Popen(command, start_new_session=True)
    seen = Changes()
    while not stop.event.wait(LOOK):
        if changed := seen.since_last_look():
            logger.info("%s changed, starting again", changed.name)
            _end(process)
            process = subprocess.Popen(command, start_new_session=True)
        elif process.poll() == 0:
            return 0
    return _end(process)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Let it stop in good order; one that failed, for a mistake in the code, has ended already."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    return process.wait()


class Changes:
    """The source files of the loaded modules, and when they were changed."""

    def __init__(self) -> None:
        self._reloader = StatReloader()
        self._known = dict(self._reloader.snapshot_files())

    def since_last_look(self) -> Path | None:
        """One of the files that were changed since."""
        before, self._known = self._known, dict(self._reloader.snapshot_files())
        return next((path for path, at in self._known.items() if at != before.get(path, at)), None)
