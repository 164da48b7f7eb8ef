"""Tasks of the tests, found because ``TASKS`` is set; named by how they end."""

from __future__ import annotations

import time
from typing import Any

from django_jobs.tasks_backend import task
from django_jobs.tasks_backend.conformance import tasks as tasks

asked: list[Any] = []


def in_no_time(error: BaseException, task_result: Any) -> float | None:
    """A backoff that notes what it was asked."""
    asked.append((type(error).__name__, task_result.attempts, task_result.id))
    return None if "for good" in str(error) else 0


@task(max_attempts=3, backoff=in_no_time, takes_context=True)
def fails_twice(context: Any) -> int:
    if context.attempt < 3:
        raise ConnectionError(f"attempt {context.attempt}")
    return context.attempt  # type: ignore[no-any-return]


@task(max_attempts=3, backoff=in_no_time)
def fails_for_good() -> None:
    raise ConnectionError("for good")


@task(timeout=0.05)
def takes_too_long() -> None:
    while True:
        pass


@task(takes_context=True, queue_name="critical", priority=7)
def says_something(context: Any, word: str) -> None:
    context.job.log(word)
    context.job.metadata["word"] = word


@task(takes_context=True)
def sleeps_in_its_first_run(context: Any) -> int:
    """Its first run sleeps until its worker is killed."""
    if context.job.run == 1:
        time.sleep(60)
    return context.job.run  # type: ignore[no-any-return]
