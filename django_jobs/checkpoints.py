"""How far a run has come, in SQL: read at its start, stored while it goes on, and always before it stops."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Protocol

from django.db import Error as DatabaseError
from django.db import connections, transaction
from django.db.models import Subquery

from . import clock
from .call import to_json
from .conf import settings
from .control import CANCEL, Control, runs
from .exceptions import CheckpointTooLarge, InvalidJob, JobCancelled, JobInterrupted
from .models import Checkpoint, Job

logger = logging.getLogger("django_jobs.jobs")

INTERVAL = 1.0
"""Seconds between two checkpoints that are stored, unless the run is to stop or a transaction is open."""

TABLES = {"checkpoint": Checkpoint._meta.db_table, "job": Job._meta.db_table}
SAVE = """
    INSERT INTO {checkpoint} (job_id, run, data, made_at)
    SELECT id, run, %s, %s FROM {job} WHERE id = %s AND run = %s AND worker = %s AND state = 'processing'
    """.format(**TABLES)
ON_CONFLICT = """
    ON CONFLICT (job_id) DO UPDATE SET run = EXCLUDED.run, data = EXCLUDED.data, made_at = EXCLUDED.made_at
    WHERE {checkpoint}.run <= EXCLUDED.run""".format(**TABLES)
ON_DUPLICATE = """
    ON DUPLICATE KEY UPDATE data = IF({checkpoint}.run <= VALUES(run), VALUES(data), {checkpoint}.data),
        made_at = VALUES(made_at), run = GREATEST({checkpoint}.run, VALUES(run))""".format(**TABLES)

STATEMENTS = {"postgresql": SAVE + ON_CONFLICT, "sqlite": SAVE + ON_CONFLICT, "mysql": SAVE + ON_DUPLICATE}


class Store(Protocol):
    """Where the checkpoint of one run is kept."""

    def load(self) -> str | None:
        """What earlier runs left, None where there is nothing that counts."""

    def save(self, data: str) -> bool:
        """False when the run is no longer the job's."""

    def in_transaction(self) -> bool:
        """Whether `save` would be part of a transaction that the job has opened."""


class SQLStore:
    """The table of checkpoints. Every write is fenced by run number and worker, as all writes of a run are."""

    def __init__(self, job_id: int, run: int, worker: str) -> None:
        self.job_id = job_id
        self.run = run
        self.worker = worker

    def load(self) -> str | None:
        since = Job.objects.using(settings.DATABASE).filter(pk=self.job_id).values("anew_after")
        rows = Checkpoint.objects.using(settings.DATABASE).filter(job_id=self.job_id, run__gt=Subquery(since))
        return rows.values_list("data", flat=True).first()

    def save(self, data: str) -> bool:
        connection = connections[settings.DATABASE]
        now = connection.ops.adapt_datetimefield_value(clock.now())
        with connection.cursor() as cursor:
            cursor.execute(STATEMENTS[connection.vendor], [data, now, self.job_id, self.run, self.worker])
            return bool(cursor.rowcount)

    def in_transaction(self) -> bool:
        connection = transaction.get_connection(settings.DATABASE)
        return connection.in_atomic_block or not connection.get_autocommit()


class Checkpoints:
    """The checkpoint of one run: the job's own state, and where its iterations are."""

    def __init__(self, store: Store, control: Control) -> None:
        self._store = store
        self._control = control
        self._loaded = False
        self._state = "null"
        self._iterations: dict[str, dict[str, Any]] = {}
        self._begun: set[str] = set()
        self._changed = False
        self._due = 0.0
        self.closed = False
        """True once the job was completed: nothing is stored any more, and nothing stops it."""

    @property
    def state(self) -> Any:
        """What was given to `keep` last, in this run or an earlier one."""
        self._load()
        return json.loads(self._state)

    def keep(self, state: Any) -> None:
        """Take a new state, store it when it is time to, and stop if the run is to stop."""
        self._load()
        self._state = to_json(state, "state")
        self._changed = True
        self.step()

    def begin(self, name: str) -> None:
        """Say that an iteration of that name begins. Raises InvalidJob for one that this run has already begun."""
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise InvalidJob("name", f"is {name!r:.150}; the name of an iteration is a text of 1 to 100 characters")
        if name in self._begun:
            raise InvalidJob("name", f"{name!r} was used in this run already; give each iteration a name of its own")
        self._begun.add(name)

    def iteration(self, name: str) -> dict[str, Any]:
        """Where the iteration of that name is, to be changed in place, with a `change` after it."""
        self._load()
        return self._iterations.setdefault(name, {})

    def change(self) -> None:
        """Say that an iteration went on."""
        self._changed = True

    def step(self) -> None:
        """Store what changed, when it is time to; raise JobCancelled or JobInterrupted where the run is to stop.

        In a transaction of the job it is stored each time, as part of it, and the run stops after it.
        """
        if self.closed:
            return
        self._control.raise_if_cancelled()
        joined = self._store.in_transaction()
        stop = not joined and bool(self._control.pausing or runs.stop)
        if self._changed and joined:
            self._save()
        elif stop or (self._changed and time.monotonic() >= self._due):
            saved = self._save_if_possible()
            if stop and saved:
                raise JobInterrupted

    def flush(self) -> None:
        """Store what the rate limit held back, after a failure; the next attempt goes on from there."""
        if self._changed and not self.closed and not self._store.in_transaction():
            self._save_if_possible()

    def _load(self) -> None:
        if not self._loaded:
            stored = json.loads(self._store.load() or "{}")
            self._state = json.dumps(stored.get("state"))
            self._iterations = stored.get("iterations", {})
            self._loaded = True

    def _save_if_possible(self) -> bool:
        """False where the database is away: the run goes on, and the next checkpoint tries again."""
        try:
            self._save()
        except DatabaseError as error:
            logger.warning("A checkpoint was not stored, the next one will be: %s", str(error).strip())
            transaction.get_connection(settings.DATABASE).close_if_unusable_or_obsolete()
            self._due = time.monotonic() + INTERVAL
            return False
        return True

    def _save(self) -> None:
        self._load()
        data = f'{{"state": {self._state}, "iterations": {json.dumps(self._iterations)}}}'
        size = len(data.encode())
        if size > settings.MAX_PAYLOAD:
            raise CheckpointTooLarge(size, settings.MAX_PAYLOAD)
        if not self._store.save(data):
            self._control.hear(CANCEL)
            raise JobCancelled("The job was ended, or given to another worker")
        self._changed = False
        self._due = time.monotonic() + INTERVAL
