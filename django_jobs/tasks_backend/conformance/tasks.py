"""The tasks of the suite, declared with Django's own decorator and named by how they end."""

from __future__ import annotations

import asyncio
from typing import Any

from ..compat import task

ran: list[Any] = []
"""What `notes` was called with, in order; it tells something only where the backend runs in this process."""


@task
def succeeds(value: Any = None, *, key: Any = None) -> Any:
    return value if key is None else [value, key]


@task()
async def succeeds_async(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


@task
def fails(message: str) -> None:
    raise ValueError(message)


@task
async def fails_async(message: str) -> None:
    raise ValueError(message)


@task
def exits() -> None:
    raise SystemExit("done")


@task
def returns_what_json_cannot_hold() -> object:
    return object()


@task
def returns_a_tuple() -> tuple[int, ...]:
    return (1, 2)


@task(takes_context=True)
def tells(context: Any, word: str) -> list[Any]:
    return [word, context.attempt, context.task_result.id, str(context.task_result.status)]


@task(takes_context=True)
async def tells_async(context: Any, word: str) -> list[Any]:
    return [word, context.attempt, context.task_result.id, str(context.task_result.status)]


@task
def notes(what: Any) -> None:
    ran.append(what)


def plain(first: Any = None) -> None:
    """No task yet: the suite makes some of it that are refused."""


def plain_with_context(context: Any) -> None:
    """The same, with the argument that `takes_context` asks for."""


async def plain_async() -> None:
    """The same, as a coroutine."""
