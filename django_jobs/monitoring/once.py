"""Reads that several parts of one page need are made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

Read = TypeVar("Read", bound=Callable[[], Any])

_known: ContextVar[dict[Any, Any] | None] = ContextVar("django_jobs_known", default=None)


@contextmanager
def snapshot() -> Iterator[None]:
    """In here, each read that is marked so is made once: what is told together is of one moment."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def once(read: Read) -> Read:
    """A read that a snapshot keeps; outside of one it is made each time."""

    @wraps(read)
    def remembered() -> Any:
        known = _known.get()
        if known is None:
            return read()
        if read not in known:
            known[read] = read()
        return known[read]

    return remembered  # type: ignore[return-value]
