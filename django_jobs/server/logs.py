"""What `runjobs` writes: lines for people, or JSON lines for machines, both with the id of the job that runs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from ..context import current

TEXT = "%(asctime)s %(levelname)-7s [%(process)d] %(message)s"
NAMES = ("django_jobs", "rq.worker")


class JobOfRecord(logging.Filter):
    """Gives each record `job_id` and `job_type` of the job that was running when it was made."""

    def filter(self, record: logging.LogRecord) -> bool:
        running = current()
        if running is not None:
            record.job_id = running.id
            record.job_type = running.job_type
        return True


class TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        running = getattr(record, "job_type", None)
        return f"{line} (job {record.__dict__['job_id']} {running})" if running and "\n" not in line else line


class JSONFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
        }
        line |= {key: getattr(record, key) for key in ("job_id", "job_type") if hasattr(record, key)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(form: str, level: str) -> None:
    """Write to standard error, unless the site's ``LOGGING`` has handlers of its own for our loggers."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JSONFormatter() if form == "json" else TextFormatter(TEXT))
    handler.addFilter(JobOfRecord())
    for name in NAMES:
        known = logging.getLogger(name)
        if not known.handlers:
            known.addHandler(handler)
            known.propagate = False
        known.setLevel(level)
    if form == "json" or not logging.getLogger().handlers:
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING) if not root.level else root.level)
