"""What SQLite and MariaDB share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from ..statements import TABLES, Finish


class InJSON:
    """What SQLite and MariaDB share: sets travel as one JSON parameter, since neither has arrays."""

    single = False

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def time(self, moment: datetime | None) -> str | None:
        return None if moment is None else str(self.connection.ops.adapt_datetimefield_value(moment))

    def rows(self, runs: Sequence[Finish]) -> list[list[Any]]:
        """One list for each run: id, run, state, reason, started, finished, result, data, expires, failed."""
        return [
            [
                *(run.id, run.run, run.state, run.reason, self.time(run.started_at), self.time(run.finished_at)),
                *(run.result, run.data, self.time(run.expires_at), run.failed),
            ]
            for run in runs
        ]

    def note(self, cursor: CursorWrapper, rows: Sequence[Sequence[Any]]) -> None:
        """Write the history: job, name, reason, time, run, data."""
        if rows:
            cursor.executemany(
                "INSERT INTO {state} (job_id, name, reason, created_at, run, data)"
                " VALUES (%s, %s, %s, %s, %s, %s)".format(**TABLES),
                rows,
            )

    def count(self, cursor: CursorWrapper, runs: Sequence[Finish]) -> None:
        sums: dict[tuple[str, datetime], int] = {}
        for run in runs:
            key = run.state, run.finished_at.replace(minute=0, second=0, microsecond=0)
            sums[key] = sums.get(key, 0) + 1
        cursor.executemany(
            "INSERT INTO {counter} (name, hour, value) VALUES (%s, %s, %s)".format(**TABLES),
            [(state, self.time(hour), value) for (state, hour), value in sums.items()],
        )

    def record(self, cursor: CursorWrapper, runs: Sequence[Finish], moved: set[int]) -> set[int]:
        held = [run for run in runs if run.id in moved]
        if held:
            self.note(
                cursor, [(run.id, run.state, run.reason, self.time(run.finished_at), run.run, run.data) for run in held]
            )
            self.count(cursor, held)
        return moved
