"""SQLite: UPDATE … RETURNING in immediate transactions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from ..statements import FREE, LIMITED, NOT_CANCELLED, PLAIN, TABLES, Claimed, Finish
from .injson import InJSON


class SQLite(InJSON):
    _CLAIM = """
        UPDATE {job} SET state = 'processing', state_at = %s, state_reason = '', worker = %s,
            run = run + 1, started_at = %s, finished_at = NULL, expires_at = NULL
        WHERE id IN (SELECT value FROM json_each(%s)) AND state = 'enqueued'
          AND job_type IN (SELECT value FROM json_each(%s)) AND (start_before IS NULL OR start_before > %s)
          AND NOT EXISTS (SELECT 1 FROM {queue} q WHERE q.name = {job}.queue AND (q.paused
                          AND (q.paused_until IS NULL OR q.paused_until > %s) {{limited}})) AND {not_cancelled} {{free}}
        RETURNING id, job_type, args, kwargs, run, queue, priority, failures, batch_id, headers, deaths,
            limited, unique_key <> ''""".format(not_cancelled=NOT_CANCELLED, **TABLES)
    CLAIM = _CLAIM.format(limited="", free="")
    CLAIM_FREE = _CLAIM.format(limited=LIMITED, free=f"{FREE} AND queue NOT IN (SELECT value FROM json_each(%s))")

    _FINISH = """
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
        WHERE {job}.id = e.id AND {job}.state = 'processing' AND {job}.run = e.run AND {job}.worker = %s AND {{plain}}
        RETURNING {job}.id""".format(**TABLES)
    FINISH = _FINISH.format(plain="TRUE")
    FINISH_PLAIN = _FINISH.format(plain=PLAIN.format(**TABLES))

    def claim(
        self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime, *, beside: Sequence[str] | None
    ) -> list[Claimed]:
        when = self.time(at)
        values = [when, worker, when, json.dumps(list(ids)), json.dumps(list(types)), when, when]
        with self.connection.cursor() as cursor:
            if beside is None:
                cursor.execute(self.CLAIM, values)
            else:
                cursor.execute(self.CLAIM_FREE, [*values, json.dumps(list(beside))])
            claimed = sorted(Claimed(*row) for row in cursor.fetchall())
            data = json.dumps({"worker": worker})
            self.note(cursor, [(job.id, "processing", "", when, job.run, data) for job in claimed])
        return claimed

    def finish(self, runs: Sequence[Finish], worker: str, *, plain: bool) -> set[int]:
        with self.connection.cursor() as cursor:
            cursor.execute(self.FINISH_PLAIN if plain else self.FINISH, [json.dumps(self.rows(runs)), worker])
            return self.record(cursor, runs, {row[0] for row in cursor.fetchall()})
