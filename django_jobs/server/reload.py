"""`runjobs --reload` for development: start again when a source file changes."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time

from django.utils.autoreload import StatReloader

logger = logging.getLogger("django_jobs.server")

LOOK = 1.0


def run_reloading(arguments: list[str]) -> int:
    """Run this command line without ``--reload`` in a process of its own, anew after every change; its last status."""
    command = [sys.executable, *arguments]
    process = subprocess.Popen(command)
    reloader = StatReloader()
    known = dict(reloader.snapshot_files())
    try:
        while True:
            time.sleep(LOOK)
            now = dict(reloader.snapshot_files())
            changed = [path for path in now if now[path] != known.get(path, now[path])]
            known = now
            if changed:
                logger.info("%s changed, starting again", changed[0])
                process.send_signal(signal.SIGTERM)
                process.wait()
                process = subprocess.Popen(command)
            elif process.poll() is not None and process.returncode == 0:
                return 0
    except KeyboardInterrupt:
        return process.wait()
