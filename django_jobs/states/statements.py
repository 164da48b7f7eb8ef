"""The hot statements, once for each kind of database: claim a set of jobs, acknowledge a set of runs.

Only `machine` calls this. Every statement is conditional: a job that is not in the expected state, or whose run number
moved on, is left alone and not returned. Rows that somebody else has locked are skipped; their bells come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..models import Batch, Counter, Job, JobDependency, JobState, Queue, RecurringJob

if TYPE_CHECKING:
    from .elections import Election

TABLES = {
    "job": Job._meta.db_table,
    "state": JobState._meta.db_table,
    "counter": Counter._meta.db_table,
    "queue": Queue._meta.db_table,
    "dependency": JobDependency._meta.db_table,
    "batch": Batch._meta.db_table,
    "recurring": RecurringJob._meta.db_table,
}
NOT_CANCELLED = """
    ({job}.batch_id IS NULL OR NOT EXISTS (SELECT 1 FROM {batch} b WHERE b.id = {job}.batch_id
                                           AND b.cancelled_at IS NOT NULL))""".format(**TABLES)
"""Whose batch was not cancelled; nothing is looked up for a job without one."""
PLAIN = """
    {{job}}.batch_id IS NULL
    AND NOT EXISTS (SELECT 1 FROM {dependency} WHERE parent_id = {{job}}.id)""".format(**TABLES)
"""Whose end concerns nobody else: no built-in filter has anything to do for it. `{job}` is the row's name."""
FREE = """
    AND NOT {job}.limited AND {job}.concurrency_key = ''""".format(**TABLES)
"""Whom no limit concerns, as far as its row tells."""
LIMITED = "OR q.max_concurrency IS NOT NULL OR q.rate_limit <> ''"
"""A queue that has limits."""


class Candidate(NamedTuple):
    """An enqueued job that is about to be claimed, and that a limit may concern. Arguments are JSON values."""

    id: int
    job_type: str
    queue: str
    priority: int
    run: int
    """Number that its run will have."""
    concurrency_key: str
    args: list[Any]
    kwargs: dict[str, Any]


class Claimed(NamedTuple):
    """A job that is ours to run, as it comes from the database (`args`, `kwargs` and `headers` are JSON text)."""

    id: int
    job_type: str
    args: str
    kwargs: str
    run: int
    queue: str
    priority: int
    failures: int
    batch: int | None = None
    headers: str = "{}"
    deaths: int = 0
    """Workers that died under it."""
    limited: bool = False
    keyed: bool = False


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
    job_type: str = ""
    queue: str = ""
    batch: int | None = None
    limited: bool = False
    """Whether it holds slots of limits."""
    keyed: bool = False
    """Whether it has a unique key."""
    then: Then | None = None
    unsettled: Election | None = None
    """What filters could not be asked about when the run ended: one of them raised."""
    tries: int = 0
    """How often a filter has raised when this was to be recorded."""
    only_ours: bool = False
    """Whether no filter of the site is told: they had their tries."""

    @property
    def expires_at(self) -> datetime | None:
        return None if self.keep is None else self.finished_at + self.keep


class Statements(Protocol):
    """What a database must be able to do in sets."""

    single: bool
    """Whether each of the two is one statement, and so a transaction by itself."""

    def claim(
        self, ids: Sequence[int], types: Sequence[str], worker: str, at: datetime, *, beside: Sequence[str] | None
    ) -> list[Claimed]:
        """Move the enqueued ones of `ids` to Processing; returns those that moved.

        `beside` takes only jobs that no limit concerns, and none of those queues; None takes all.
        """

    def finish(self, runs: Sequence[Finish], worker: str, *, plain: bool) -> set[int]:
        """Move from Processing to where each run ended; returns the ids whose run number still held.

        `plain` takes only the jobs whose end concerns nobody else.
        """
