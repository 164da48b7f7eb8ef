"""What running jobs are asked: by a command at once, and by their rows where Redis is away."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from .. import control, monitoring, queues, states
from ..control import runs
from ..states import asking
from .shared import Shared

FORCED = "one of its jobs was cancelled by force"

logger = logging.getLogger("django_jobs.server")


def obey(payload: dict[str, Any], shared: Shared) -> bool:
    """Pass an order of our own on to the runs that it names; False for a command of RQ's."""
    if payload["command"] != queues.COMMAND:
        return False
    word = payload["word"]
    for job_id, run in payload["runs"]:
        if word == control.KILL and (job_id, run) in runs:
            end_process(os.getpid(), shared, FORCED)
        else:  # one that has not begun needs no force: it hears of its cancellation before its function is called
            runs.tell(control.CANCEL if word == control.KILL else word, (job_id, run))
    return True


def look(worker: str) -> None:
    """Read from their rows what is asked of the runs of this process."""
    keys = runs.keys()
    if not keys:
        return
    rows = monitoring.jobs().filter(pk__in=[job_id for job_id, _ in keys], worker=worker, state=states.PROCESSING)
    found = {(job_id, run): asked for job_id, run, asked in rows.values_list("pk", "run", "asked")}
    for key in keys:
        if key not in found:
            runs.tell(control.CANCEL, key)
        else:
            runs.tell(control.PAUSE if found[key] == "pause" else control.RESUME, key)


class Child(Protocol):
    name: str
    pid: int
    shared: Shared


def end_condemned(running: Mapping[int, Child]) -> None:
    """Kill the workers of jobs that were cancelled by force: one that is stuck, or deaf, cannot do it itself."""
    for job_id, name in (asking.condemned(running) if running else {}).items():
        if running[job_id].name == name:
            end_process(running[job_id].pid, running[job_id].shared, FORCED)


def end_process(pid: int, shared: Shared, reason: str) -> None:
    """Kill a worker, and what its jobs started, to end one of them. Nobody counts this as a death."""
    shared.condemned = True
    logger.warning("Worker process %d is ended: %s", pid, reason)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
