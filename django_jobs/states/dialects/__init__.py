"""The hot statements in each database's own good form."""

from __future__ import annotations

from django.db import connections

from ..statements import Statements
from .mariadb import MariaDB
from .postgresql import PostgreSQL
from .sqlite import SQLite


def statements(alias: str) -> Statements:
    """The statements for the database behind `alias`."""
    connection = connections[alias]
    kinds: dict[str, type[PostgreSQL | SQLite]] = {"postgresql": PostgreSQL, "sqlite": SQLite}
    return kinds.get(connection.vendor, MariaDB)(connection)
