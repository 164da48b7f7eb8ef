"""The hot statements, once for each kind of database: claim a set of jobs, acknowledge a set of runs.

Only `machine` calls this. Every statement is conditional: a job that is not in the expected state, or whose run number
moved on, is left alone and not returned. Rows that somebody else has locked are skipped; their bells come again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from ..models import Counter, Job, JobState, Queue

TABLES = {
    "job": Job._meta.db_table,
    "state": JobState._meta.db_table,
    "counter": Counter._meta.db_table,
    "queue": Queue._meta.db_table,
}
CLAIMED = "id, job_type, args, kwargs, run, queue, priority, failures"


class Claimed(NamedTuple):
    """A job that is ours to run, as it comes from the database (`args` and `kwargs` are JSON text)."""

    id: int
    job_type: str
    args: str
    kwargs: str
    run: int
    queue: str
    priority: int
    failures: int


class Then(NamedTuple):
    """Where a failed run leads on to, in the same transaction: a retry, or its deletion."""

    state: str
    reason: str
    scheduled_at: datetime | None
    keep: timedelta | None


class Finish(NamedTuple):
    """How a run ended. `result` and `data` are JSON text; `data` goes to the history."""

    id: int
    run: int
    state: str
    reason: str
    started_at: datetime
    finished_at: datetime
    result: str | None
    data: str
    keep: timedelta | None
    """How long the job stays stored after its end; None for ever."""
    failed: int
    then: Then | None = None

    @property
    def expires_at(self) -> datetime | None:
        return None if self.keep is None else self.finished_at + self.keep


class Statements(Protocol):
    """What a database must be able to do in sets."""

    single: bool
    """Whether each of the two is one statement, and so a transaction by itself."""

    def claim(self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime) -> list[Claimed]:
        """Move the enqueued ones of `ids` to Processing; returns those that moved."""

    def finish(self, runs: Sequence[Finish], worker: str) -> set[int]:
        """Move from Processing to where each run ended; returns the ids whose run number still held."""


def statements(alias: str) -> Statements:
    """The statements for the database behind `alias`."""
    connection = connections[alias]
    kinds: dict[str, type[PostgreSQL | SQLite]] = {"postgresql": PostgreSQL, "sqlite": SQLite}
    return kinds.get(connection.vendor, MariaDB)(connection)


class PostgreSQL:
    single = True

    CLAIM = """
        WITH picked AS (
            SELECT id FROM {job}
            WHERE id = ANY(%(ids)s) AND state = 'enqueued' AND job_type = ANY(%(types)s)
              AND (start_before IS NULL OR start_before > %(at)s)
              AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND q.paused
                              AND (q.paused_until IS NULL OR q.paused_until > %(at)s))
            ORDER BY id FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE {job} j SET state = 'processing', state_at = %(at)s, state_reason = '', worker = %(worker)s,
                run = j.run + 1, started_at = %(at)s, finished_at = NULL, expires_at = NULL
            FROM picked WHERE j.id = picked.id
            RETURNING j.id, job_type, args, kwargs, run, queue, priority, failures
        ), noted AS (
            INSERT INTO {state} (job_id, name, reason, created_at, run, data)
            SELECT id, 'processing', '', %(at)s, run, jsonb_build_object('worker', %(worker)s::text) FROM claimed
        )
        SELECT * FROM claimed""".format(**TABLES)

    FINISH = """
        WITH ended AS (
            SELECT * FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
                                 %s::text[], %s::text[], %s::timestamptz[], %s::int[])
                AS e(id, run, state, reason, started_at, finished_at, result, data, expires_at, failed)
        ), moved AS (
            UPDATE {job} j SET state = e.state, state_at = e.finished_at, state_reason = e.reason,
                started_at = e.started_at, finished_at = e.finished_at, result = e.result::jsonb,
                expires_at = e.expires_at, failures = j.failures + e.failed
            FROM ended e WHERE j.id = e.id AND j.state = 'processing' AND j.run = e.run AND j.worker = %s
            RETURNING j.id, j.state, j.state_at
        ), noted AS (
            INSERT INTO {state} (job_id, name, reason, created_at, run, data)
            SELECT id, state, reason, finished_at, run, data::jsonb FROM ended WHERE id IN (SELECT id FROM moved)
        ), counted AS (
            INSERT INTO {counter} (name, hour, value)
            SELECT state, date_trunc('hour', state_at, 'UTC'), count(*) FROM moved GROUP BY 1, 2
        )
        SELECT id FROM moved""".format(**TABLES)

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def claim(self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime) -> list[Claimed]:
        with self.connection.cursor() as cursor:
            cursor.execute(self.CLAIM, {"ids": list(ids), "types": list(types), "worker": worker, "at": at})
            return [Claimed(*row) for row in cursor.fetchall()]

    def finish(self, runs: Sequence[Finish], worker: str) -> set[int]:
        columns = list(zip(*runs, strict=True))[:10]
        columns[8] = tuple(run.expires_at for run in runs)
        with self.connection.cursor() as cursor:
            cursor.execute(self.FINISH, [*map(list, columns), worker])
            return {row[0] for row in cursor.fetchall()}


class _InJSON:
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


class SQLite(_InJSON):
    CLAIM = """
        UPDATE {job} SET state = 'processing', state_at = %s, state_reason = '', worker = %s,
            run = run + 1, started_at = %s, finished_at = NULL, expires_at = NULL
        WHERE id IN (SELECT value FROM json_each(%s)) AND state = 'enqueued'
          AND job_type IN (SELECT value FROM json_each(%s)) AND (start_before IS NULL OR start_before > %s)
          AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND q.paused
                          AND (q.paused_until IS NULL OR q.paused_until > %s))
        RETURNING id, job_type, args, kwargs, run, queue, priority, failures""".format(**TABLES)

    FINISH = """
        UPDATE {job} SET state = e.state, state_at = e.finished_at, state_reason = e.reason,
            started_at = e.started_at, finished_at = e.finished_at, result = e.result,
            expires_at = e.expires_at, failures = {job}.failures + e.failed
        FROM (
            SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS run,
                   json_extract(value, '$[2]') AS state, json_extract(value, '$[3]') AS reason,
                   json_extract(value, '$[4]') AS started_at, json_extract(value, '$[5]') AS finished_at,
                   json_extract(value, '$[6]') AS result, json_extract(value, '$[8]') AS expires_at,
                   json_extract(value, '$[9]') AS failed
            FROM json_each(%s)
        ) e
        WHERE {job}.id = e.id AND {job}.state = 'processing' AND {job}.run = e.run AND {job}.worker = %s
        RETURNING {job}.id""".format(**TABLES)

    def claim(self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime) -> list[Claimed]:
        when = self.time(at)
        with self.connection.cursor() as cursor:
            cursor.execute(self.CLAIM, [when, worker, when, json.dumps(list(ids)), json.dumps(list(types)), when, when])
            claimed = sorted(Claimed(*row) for row in cursor.fetchall())
            data = json.dumps({"worker": worker})
            self.note(cursor, [(job.id, "processing", "", when, job.run, data) for job in claimed])
        return claimed

    def finish(self, runs: Sequence[Finish], worker: str) -> set[int]:
        with self.connection.cursor() as cursor:
            cursor.execute(self.FINISH, [json.dumps(self.rows(runs)), worker])
            return self.record(cursor, runs, {row[0] for row in cursor.fetchall()})


class MariaDB(_InJSON):
    """MariaDB has no UPDATE … RETURNING: lock and read first, then write what was locked."""

    PICK = """
        SELECT id, job_type, args, kwargs, run + 1, queue, priority, failures FROM {job}
        WHERE id IN %s AND state = 'enqueued' AND job_type IN %s AND (start_before IS NULL OR start_before > %s)
          AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND q.paused
                          AND (q.paused_until IS NULL OR q.paused_until > %s))
        ORDER BY id FOR UPDATE SKIP LOCKED""".format(**TABLES)

    CLAIM = """
        UPDATE {job} SET state = 'processing', state_at = %s, state_reason = '', worker = %s,
            run = run + 1, started_at = %s, finished_at = NULL, expires_at = NULL
        WHERE id IN %s""".format(**TABLES)

    HELD = """
        SELECT id, run FROM {job} WHERE id IN %s AND state = 'processing' AND worker = %s
        ORDER BY id FOR UPDATE""".format(**TABLES)

    FINISH = """
        UPDATE {job} j JOIN JSON_TABLE(%s, '$[*]' COLUMNS (
            id BIGINT PATH '$[0]', state VARCHAR(12) PATH '$[2]', reason VARCHAR(200) PATH '$[3]',
            started_at DATETIME(6) PATH '$[4]', finished_at DATETIME(6) PATH '$[5]', result LONGTEXT PATH '$[6]',
            expires_at DATETIME(6) PATH '$[8]', failed INT PATH '$[9]')) e ON j.id = e.id
        SET j.state = e.state, j.state_at = e.finished_at, j.state_reason = e.reason, j.started_at = e.started_at,
            j.finished_at = e.finished_at, j.result = e.result, j.expires_at = e.expires_at,
            j.failures = j.failures + e.failed""".format(**TABLES)

    def claim(self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime) -> list[Claimed]:
        when = self.time(at)
        with self.connection.cursor() as cursor:
            cursor.execute(self.PICK, [tuple(ids), tuple(types), when, when])
            claimed = [Claimed(*row) for row in cursor.fetchall()]
            if claimed:
                cursor.execute(self.CLAIM, [when, worker, when, tuple(job.id for job in claimed)])
                data = json.dumps({"worker": worker})
                self.note(cursor, [(job.id, "processing", "", when, job.run, data) for job in claimed])
        return claimed

    def finish(self, runs: Sequence[Finish], worker: str) -> set[int]:
        with self.connection.cursor() as cursor:
            cursor.execute(self.HELD, [tuple(run.id for run in runs), worker])
            held = dict(cursor.fetchall())
            ours = [run for run in runs if held.get(run.id) == run.run]
            if ours:
                cursor.execute(self.FINISH, [json.dumps(self.rows(ours))])
            return self.record(cursor, ours, {run.id for run in ours})
