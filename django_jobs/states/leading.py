"""Where ended runs lead on to, in the transaction that records the end: a failure to a retry or a deletion, say.

The statements are the same for every database and take one row each: what leads on is little.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connections

from . import DELETED, FAILED
from .statements import TABLES, Finish, Then

MOVE = """
    UPDATE {job}
    SET state = %s, state_reason = %s, scheduled_at = COALESCE(%s, scheduled_at), expires_at = %s,
        start_before = NULL
    WHERE id = %s AND run = %s AND state = %s""".format(**TABLES)
NOTE = """
    INSERT INTO {state} (job_id, name, reason, created_at, run, data)
    VALUES (%s, %s, %s, %s, %s, '{{}}')""".format(**TABLES)
COUNT = "INSERT INTO {counter} (name, hour, value) VALUES (%s, %s, %s)".format(**TABLES)


def lead_on(alias: str, runs: Sequence[tuple[Finish, Then]]) -> None:
    """Move runs that were recorded as ended a moment ago, by whoever still holds their rows locked."""
    adapt = connections[alias].ops.adapt_datetimefield_value
    counts: Tally[tuple[str, datetime]] = Tally()
    moves: list[tuple[Any, ...]] = []
    for run, then in runs:
        due = then.scheduled_at and adapt(then.scheduled_at)
        expires = None if then.keep is None else adapt(run.finished_at + then.keep)
        moves.append((then.state, then.reason, due, expires, run.id, run.run, run.state))
        hour = run.finished_at.replace(minute=0, second=0, microsecond=0)
        if run.state == FAILED:
            counts["failed", hour] -= 1  # what is tried again, or deleted, is no failure that waits for a person
        else:
            counts[f"{run.state}.left", hour] += 1
        if then.state == DELETED or run.state == FAILED:
            counts["deleted" if then.state == DELETED else "retried", hour] += 1
    notes = [(run.id, then.state, then.reason, adapt(run.finished_at), run.run) for run, then in runs]
    with connections[alias].cursor() as cursor:
        cursor.executemany(MOVE, moves)
        cursor.executemany(NOTE, notes)
        cursor.executemany(COUNT, [(name, adapt(hour), value) for (name, hour), value in counts.items()])
