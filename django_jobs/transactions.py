"""Transactions of our own: on SQLite they have the lock for writing from their beginning.

One that has read cannot wait there for its turn to write: where another wrote meanwhile, SQLite ends it at once with
"database is locked". Where ``transaction_mode`` is ``IMMEDIATE``, as in `runjobs`, all transactions begin like that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import transaction

from .conf import settings


def atomic() -> AbstractContextManager[None]:
    """A transaction on the jobs' database, or a savepoint within the caller's."""
    connection: Any = transaction.get_connection(settings.DATABASE)
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        return _immediate(connection)
    plain: AbstractContextManager[None] = transaction.atomic(using=settings.DATABASE)
    return plain


@contextmanager
def _immediate(connection: Any) -> Iterator[None]:
    connection.ensure_connection()  # which reads the site's own mode
    mode = connection.transaction_mode
    connection.transaction_mode = mode or "IMMEDIATE"
    try:
        with transaction.atomic(using=settings.DATABASE):
            connection.transaction_mode = mode
            yield
    finally:
        connection.transaction_mode = mode
