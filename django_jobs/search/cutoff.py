"""An end for slow statements, by each database's own means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from django.db import OperationalError, connections, transaction

from ..conf import settings
from .refusals import SearchTimeout

STEPS = 20_000
"""Instructions of SQLite's machine between two looks at the clock."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Statements in here that take longer raise SearchTimeout; a transaction that is open stays usable."""
    connection = connections[settings.DATABASE]
    means: dict[str, Callable[[Any, float], AbstractContextManager[None]]] = {
        "postgresql": _postgresql,
        "mysql": _mariadb,
        "sqlite": _sqlite,
    }
    try:
        with means[connection.vendor](connection, seconds):
            yield
    except OperationalError as error:
        if _is_timeout(error):
            raise SearchTimeout(f"the search took longer than {seconds:g} s") from error
        raise


def _is_timeout(error: OperationalError) -> bool:
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or (error.args or [None])[0]
    return code in {"57014", 1969, "interrupted"}


@contextmanager
def _postgresql(connection: Any, seconds: float) -> Iterator[None]:
    """SET LOCAL ends with a transaction; within one of the caller's, the savepoint must not leave it behind."""
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'), set_config('statement_timeout', %s, true)",
            [str(max(1, int(seconds * 1000)))],
        )
        before = cursor.fetchone()[0]
        yield
        if len(connection.savepoint_ids):
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])


@contextmanager
def _mariadb(connection: Any, seconds: float) -> Iterator[None]:
    def limited(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("( ").startswith("SELECT"):
            sql = f"SET STATEMENT max_statement_time={seconds:.3f} FOR {sql}"
        return execute(sql, params, many, context)

    with connection.execute_wrapper(limited):
        yield


@contextmanager
def _sqlite(connection: Any, seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    end = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, STEPS)
