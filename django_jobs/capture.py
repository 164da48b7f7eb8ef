"""Python's logging, and `print` where a job type asks for it: what a running job says that way goes to its console."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from .console import Console
from .console.record import LINE
from .context import JobContext, current
from .exceptions import JobTimeout

LEVELS = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)
OURS = {"django_jobs", "rq"}


class JobHandler(logging.Handler):
    """Writes a record to the console of the job in whose context it was made; asyncio and asgiref pass that on."""

    def emit(self, record: logging.LogRecord) -> None:
        running = current()
        if running is None or record.name.partition(".")[0] in OURS:
            return
        try:
            running.console.log(self.format(record), _level(record.levelno))
        except JobTimeout:
            raise
        except Exception:  # noqa: BLE001  (a record that cannot be formatted fails no job; logging tells of it)
            self.handleError(record)


def _level(number: int) -> str:
    return next((name for lowest, name in LEVELS if number >= lowest), "debug")


class AsBefore(logging.Filter):
    """Keeps from a handler what was not made before the root logger was opened for the consoles."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= self.level:
            return True
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None and not logger.level:
            logger = logger.parent
        return logger is not None and logger is not logging.getLogger()


def attach(level: str | None) -> None:
    """Capture the records of jobs from that level on, in this process; other handlers go on hearing what they heard.

    Loggers that have a level of their own keep it: what they do not make cannot be captured.
    """
    if level is None:
        return
    root = logging.getLogger()
    named = [entry for entry in root.manager.loggerDict.values() if isinstance(entry, logging.Logger)]
    handler = JobHandler(level)
    if root.level > handler.level:
        for other in {other for logger in (root, *named) for other in logger.handlers}:
            other.addFilter(AsBefore(root.level))
        root.setLevel(handler.level)
    for logger in (root, *(logger for logger in named if not logger.propagate)):
        logger.addHandler(handler)


class Lines:
    """What a job prints, line by line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._begun = ""

    def write(self, text: str) -> None:
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            if len(self._begun) > LINE:
                lines, self._begun = [*lines, self._begun], ""
        for line in lines:
            self._console.log(line)

    def end(self) -> None:
        if self._begun:
            self._console.log(self._begun)


_lines: ContextVar[Lines | None] = ContextVar("django_jobs_printed", default=None)


class JobOutput:
    """Stands before standard output: what a job prints goes to its console as well."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> Any:
        lines = _lines.get()
        if lines is not None:
            lines.write(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def printing(context: JobContext) -> Iterator[None]:
    """Within this, and in the tasks that begin within it, `print` goes to the run's console as well."""
    if not isinstance(sys.stdout, JobOutput):
        sys.stdout = JobOutput(sys.stdout)
    lines = Lines(context.console)
    token = _lines.set(lines)
    try:
        yield
    finally:
        _lines.reset(token)
        lines.end()
