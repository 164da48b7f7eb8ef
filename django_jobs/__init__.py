"""Background jobs for Django on RQ: the SQL row is the truth, RQ is the doorbell."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backoff import Retry as Retry
    from .context import JobContext as JobContext
    from .cron import Cron as Cron
    from .decorators import job as job
    from .decorators import recurring as recurring
    from .exceptions import Cancel as Cancel
    from .exceptions import CronError as CronError
    from .exceptions import JobCancelled as JobCancelled
    from .exceptions import Snooze as Snooze
    from .models import Batch as Batch
    from .plugins import Plugin as Plugin
    from .rates import RateLimit as RateLimit
    from .registry import declare as declare
    from .search import find_jobs as find_jobs
    from .states.filters import Filter as Filter

__version__ = "0.1.0"
__all__ = [
    "Batch",
    "Cancel",
    "Cron",
    "CronError",
    "Filter",
    "JobCancelled",
    "JobContext",
    "Plugin",
    "RateLimit",
    "Retry",
    "Snooze",
    "declare",
    "find_jobs",
    "job",
    "recurring",
]

_HOMES = {
    "Batch": "models",
    "Cancel": "exceptions",
    "Cron": "cron",
    "CronError": "exceptions",
    "Filter": "states.filters",
    "JobCancelled": "exceptions",
    "JobContext": "context",
    "Plugin": "plugins",
    "RateLimit": "rates",
    "Retry": "backoff",
    "Snooze": "exceptions",
    "declare": "registry",
    "find_jobs": "search",
    "job": "decorators",
    "recurring": "decorators",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when asked for, since the package is imported before Django's apps are ready."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
