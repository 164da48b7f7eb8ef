"""Background jobs for Django on RQ: the SQL row is the truth, RQ is the doorbell."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backoff import Retry as Retry
    from .context import JobContext as JobContext
    from .decorators import job as job
    from .exceptions import Snooze as Snooze

__version__ = "0.1.0"
__all__ = ["JobContext", "Retry", "Snooze", "job"]

_HOMES = {"job": "decorators", "JobContext": "context", "Retry": "backoff", "Snooze": "exceptions"}


def __getattr__(name: str) -> Any:
    """Public names are imported when asked for, since the package is imported before Django's apps are ready."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
