"""Django Tasks on our jobs: ``TASKS = {"default": {"BACKEND": "django_jobs.tasks_backend.JobsBackend"}}``.

On Django 6.0 and later the framework is Django's own, on 5.2 that of django-tasks.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import JobsBackend as JobsBackend
    from .declaring import JobTask as JobTask
    from .declaring import task as task
    from .running import JobTaskContext as JobTaskContext

__all__ = ["JobTask", "JobTaskContext", "JobsBackend", "task"]

_HOMES = {"JobTask": "declaring", "JobTaskContext": "running", "JobsBackend": "backend", "task": "declaring"}


def __getattr__(name: str) -> Any:
    """Names are imported when asked for: the conformance suite needs no models, nor our app to be installed."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
