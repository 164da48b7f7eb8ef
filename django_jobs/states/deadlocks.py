"""Deadlocks: of two transactions that wait for each other the database ends one, and that one is made again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, transaction

from ..conf import settings

logger = logging.getLogger("django_jobs.states")

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 3
POSTGRESQL = "40P01"
MARIADB = 1213


def again_after_deadlock(action: Callable[P, T]) -> Callable[P, T]:
    """Make what opens its own transaction again when that was ended by a deadlock, `TRIES` times in all.

    Inside a transaction of the caller the error is the caller's, whose work is lost with it.
    """

    @wraps(action)
    def trying(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(TRIES - 1):
            try:
                return action(*args, **kwargs)
            except OperationalError as error:
                if not _is_deadlock(error) or _in_transaction():
                    raise
                logger.info("A move was ended by a deadlock; it is made again")
        return action(*args, **kwargs)

    return trying


def _is_deadlock(error: OperationalError) -> bool:
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return state == POSTGRESQL or error.args[:1] == (MARIADB,)


def _in_transaction() -> bool:
    connection = transaction.get_connection(settings.DATABASE)
    return connection.in_atomic_block or not connection.get_autocommit()
