"""What Django Tasks do."""

from __future__ import annotations

from typing import Any

from django_jobs import monitoring
from example_project.demo.tasks import counts_letters, greets, never_works

from . import claim, ended


def after(result: Any) -> Any:
    """The result once its task has ended."""
    ended(monitoring.get(int(result.id)))
    result.refresh()
    return result


@claim("a Django task, and an async one", "SUCCESSFUL: Hello Ada, attempt 1; SUCCESSFUL: 5")
def succeeded() -> str:
    results = [after(result) for result in (greets.enqueue("Ada"), counts_letters.enqueue("abcde"))]
    return "; ".join(f"{result.status}: {result.return_value}" for result in results)


@claim("a Django task that fails twice", "FAILED after 2 attempts: ConnectionError, ConnectionError")
def failed() -> str:
    result = after(never_works.enqueue())
    kinds = ", ".join(error.exception_class.__name__ for error in result.errors)
    return f"{result.status} after {result.attempts} attempts: {kinds}"
