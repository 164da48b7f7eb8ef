"""Help for the tests of a site: run jobs here and now, drain queues, see what was enqueued, move the clock.

No worker and no Redis is needed. Everything works inside of `TestCase`, whose transaction never commits, in
`TransactionTestCase`, and with an ``a`` before its name in async tests. Jobs run in the thread that asks for it, on its
database connection. A job type with ``isolation="process"`` is not isolated here. pytest has fixtures for all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .clocks import MovableClock, moved_clock
from .doubles import dummy_jobs, immediate_jobs
from .looking import CapturedJobs, assert_enqueued, capture_jobs
from .running import adrain, arun_inline, arun_job, drain, run_inline, run_job

if TYPE_CHECKING:
    from ..tasks_backend.conformance import TaskBackendConformance

__all__ = [
    "CapturedJobs",
    "MovableClock",
    "TaskBackendConformance",
    "adrain",
    "arun_inline",
    "arun_job",
    "assert_enqueued",
    "capture_jobs",
    "drain",
    "dummy_jobs",
    "immediate_jobs",
    "moved_clock",
    "run_inline",
    "run_job",
]


def __getattr__(name: str) -> Any:
    """The suite for backends of Django's tasks is imported when asked for: it needs such tasks."""
    if name != "TaskBackendConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("django_jobs.tasks_backend.conformance").TaskBackendConformance
