"""Tasks of the demo's check, made with our decorator, which takes a policy on every version of Django."""

from __future__ import annotations

from typing import Any

from django_jobs.tasks_backend import task


@task(priority=5, takes_context=True)
def greets(context: Any, name: str) -> str:
    return f"Hello {name}, attempt {context.attempt}"


@task
async def counts_letters(text: str) -> int:
    return len(text)


@task(max_attempts=2, backoff=lambda error, task_result: 0)
def never_works() -> None:
    raise ConnectionError("nobody answers")
