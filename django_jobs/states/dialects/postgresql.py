"""PostgreSQL: each of the two is one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..statements import FREE, LIMITED, NOT_CANCELLED, PLAIN, TABLES, Claimed, Finish


def numbers(values: Iterable[int]) -> str:
    """An array as PostgreSQL writes it. The driver would build it value by value, which was a fifth of a job's cost."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Iterable[str | None]) -> str:
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def times(values: Iterable[datetime | None]) -> str:
    return "{" + ",".join("NULL" if moment is None else moment.isoformat() for moment in values) + "}"


Array = Callable[[Any], str]


class PostgreSQL:
    single = True

    _CLAIM = """
        WITH picked AS (
            SELECT id FROM {job}
            WHERE id = ANY(%(ids)s::bigint[]) AND state = 'enqueued' AND job_type = ANY(%(types)s::text[])
              AND (start_before IS NULL OR start_before > %(at)s)
              AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND (q.paused
                              AND (q.paused_until IS NULL OR q.paused_until > %(at)s) {{limited}}))
              AND {not_cancelled} {{free}}
            ORDER BY id FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE {job} j SET state = 'processing', state_at = %(at)s, state_reason = '', worker = %(worker)s,
                run = j.run + 1, started_at = %(at)s, finished_at = NULL, expires_at = NULL
            FROM picked WHERE j.id = picked.id
            RETURNING j.id, job_type, args, kwargs, run, queue, priority, failures, batch_id, headers, deaths,
                limited, unique_key <> ''
        ), noted AS (
            INSERT INTO {state} (job_id, name, reason, created_at, run, data)
            SELECT id, 'processing', '', %(at)s, run, jsonb_build_object('worker', %(worker)s::text) FROM claimed
        )
        SELECT * FROM claimed""".format(not_cancelled=NOT_CANCELLED, **TABLES)
    CLAIM = _CLAIM.format(limited="", free="")
    CLAIM_FREE = _CLAIM.format(limited=LIMITED, free=f"{FREE} AND queue <> ALL(%(beside)s::text[])")

    _FINISH = """
        WITH ended AS (
            SELECT * FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[],
                                 %s::text[], %s::text[], %s::timestamptz[], %s::int[])
                AS e(id, run, state, reason, started_at, finished_at, result, data, expires_at, failed)
        ), moved AS (
            UPDATE {job} j SET state = e.state, state_at = e.finished_at, state_reason = e.reason,
                started_at = e.started_at, finished_at = e.finished_at, result = e.result::jsonb,
                expires_at = e.expires_at, failures = j.failures + e.failed
            FROM ended e WHERE j.id = e.id AND j.state = 'processing' AND j.run = e.run AND j.worker = %s AND {{plain}}
            RETURNING j.id, j.state, j.state_at
        ), noted AS (
            INSERT INTO {state} (job_id, name, reason, created_at, run, data)
            SELECT id, state, reason, finished_at, run, data::jsonb FROM ended WHERE id IN (SELECT id FROM moved)
        ), counted AS (
            INSERT INTO {counter} (name, hour, value)
            SELECT state, date_trunc('hour', state_at, 'UTC'), count(*) FROM moved GROUP BY 1, 2
        )
        SELECT id FROM moved""".format(**TABLES)
    COLUMNS: tuple[Callable[[Any], str], ...] = (
        numbers,
        numbers,
        texts,
        texts,
        times,
        times,
        texts,
        texts,
        times,
        numbers,
    )
    FINISH = _FINISH.format(plain="TRUE")
    FINISH_PLAIN = _FINISH.format(plain=PLAIN.format(job="j"))

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection

    def claim(
        self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime, *, beside: Sequence[str] | None
    ) -> list[Claimed]:
        values: dict[str, Any] = {
            "ids": numbers(ids),
            "types": texts(types),
            "worker": worker,
            "at": at,
            "beside": texts(beside or ()),
        }
        with self.connection.cursor() as cursor:
            cursor.execute(self.CLAIM if beside is None else self.CLAIM_FREE, values)
            return [Claimed(*row) for row in cursor.fetchall()]

    def finish(self, runs: Sequence[Finish], worker: str, *, plain: bool) -> set[int]:
        columns = list(zip(*runs, strict=True))
        columns[8] = tuple(run.expires_at for run in runs)
        arrays = [kind(column) for kind, column in zip(self.COLUMNS, columns, strict=False)]
        with self.connection.cursor() as cursor:
            cursor.execute(self.FINISH_PLAIN if plain else self.FINISH, [*arrays, worker])
            return {row[0] for row in cursor.fetchall()}
