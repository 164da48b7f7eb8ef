"""MariaDB: lock and read, then write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime

from ..statements import FREE, LIMITED, NOT_CANCELLED, PLAIN, TABLES, Claimed, Finish
from .injson import InJSON

PACKET = 1_000_000
"""Characters of JSON that one statement takes: far below a usual ``max_allowed_packet``, also when escaped."""


def portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """The texts in order, in groups of at most `PACKET` characters; one that is longer by itself."""
    start = size = 0
    for at, text in enumerate(texts):
        if at > start and size + len(text) > PACKET:
            yield texts[start:at]
            start, size = at, 0
        size += len(text)
    yield texts[start:]


class MariaDB(InJSON):
    """MariaDB has no UPDATE … RETURNING: lock and read first, then write what was locked."""

    _PICK = """
        SELECT id, job_type, args, kwargs, run + 1, queue, priority, failures, batch_id, headers, deaths,
            limited, unique_key <> '' FROM {job}
        WHERE id IN %s AND state = 'enqueued' AND job_type IN %s AND (start_before IS NULL OR start_before > %s)
          AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND (q.paused
                          AND (q.paused_until IS NULL OR q.paused_until > %s) {{limited}})) AND {not_cancelled} {{free}}
        ORDER BY id FOR UPDATE SKIP LOCKED""".format(not_cancelled=NOT_CANCELLED, **TABLES)
    PICK = _PICK.format(limited="", free="")
    PICK_FREE = _PICK.format(limited=LIMITED, free=f"{FREE} AND queue NOT IN %s")

    CLAIM = """
        UPDATE {job} SET state = 'processing', state_at = %s, state_reason = '', worker = %s,
            run = run + 1, started_at = %s, finished_at = NULL, expires_at = NULL
        WHERE id IN %s""".format(**TABLES)

    _HELD = """
        SELECT id, run FROM {job} WHERE id IN %s AND state = 'processing' AND worker = %s AND {{plain}}
        ORDER BY id FOR UPDATE""".format(**TABLES)
    HELD = _HELD.format(plain="TRUE")
    HELD_PLAIN = _HELD.format(plain=PLAIN.format(**TABLES))

    # The other way round it would read, lock and wait for every job, those of uncommitted transactions too.
    FINISH = """
        UPDATE JSON_TABLE(%s, '$[*]' COLUMNS (
            id BIGINT PATH '$[0]', state VARCHAR(12) PATH '$[2]', reason VARCHAR(200) PATH '$[3]',
            started_at DATETIME(6) PATH '$[4]', finished_at DATETIME(6) PATH '$[5]', result LONGTEXT PATH '$[6]',
            expires_at DATETIME(6) PATH '$[8]', failed INT PATH '$[9]')) e
            STRAIGHT_JOIN {job} j FORCE INDEX (PRIMARY) ON j.id = e.id
        SET j.state = e.state, j.state_at = e.finished_at, j.state_reason = e.reason, j.started_at = e.started_at,
            j.finished_at = e.finished_at, j.result = e.result, j.expires_at = e.expires_at,
            j.failures = j.failures + e.failed""".format(**TABLES)

    def claim(
        self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime, *, beside: Sequence[str] | None
    ) -> list[Claimed]:
        when = self.time(at)
        with self.connection.cursor() as cursor:
            if beside is None:
                cursor.execute(self.PICK, [tuple(ids), tuple(types), when, when])
            else:
                cursor.execute(self.PICK_FREE, [tuple(ids), tuple(types), when, when, ("", *beside)])
            claimed = [Claimed(*row) for row in cursor.fetchall()]
            if claimed:
                cursor.execute(self.CLAIM, [when, worker, when, tuple(job.id for job in claimed)])
                data = json.dumps({"worker": worker})
                self.note(cursor, [(job.id, "processing", "", when, job.run, data) for job in claimed])
        return claimed

    def finish(self, runs: Sequence[Finish], worker: str, *, plain: bool) -> set[int]:
        with self.connection.cursor() as cursor:
            ids = tuple(run.id for run in runs)
            cursor.execute(self.HELD_PLAIN if plain else self.HELD, [ids, worker])
            held = dict(cursor.fetchall())
            ours = [run for run in runs if held.get(run.id) == run.run]
            if ours:
                for rows in portions([json.dumps(row) for row in self.rows(ours)]):
                    cursor.execute(self.FINISH, [f"[{','.join(rows)}]"])
            return self.record(cursor, ours, {run.id for run in ours})
