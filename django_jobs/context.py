"""What a running job may know of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import transaction
from django.db.transaction import TransactionManagementError

from .checkpoints import Checkpoints, SQLStore
from .conf import settings
from .console import Console, MetadataDict, ProgressBar, outbox
from .control import CANCEL, Control, runs
from .exceptions import JobCancelled
from .iteration import Iteration
from .policies import edges
from .sources import source_of
from .states import machine
from .states.statements import Finish

T = TypeVar("T")


@dataclass(frozen=True)
class JobContext:
    """The run that is going on; the first argument of a job type with ``takes_context=True``."""

    id: int
    job_type: str
    queue: str
    attempt: int
    """From 1. A run that was put back uncounted does not raise it; a requeue by hand starts again at 1."""
    run: int
    """Number of the claim, by which every write of this run is fenced."""
    worker: str
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, Any] = field(default_factory=dict)
    """JSON values that were stored with the job when it was enqueued, by the caller or by filters."""
    batch_id: int | None = None
    """The batch of which the job is a member."""
    control: Control = field(default_factory=Control)
    """What was asked of this run."""
    priority: int = 0
    ending: Callable[[Any], Finish] | None = None
    """Makes the record of a success with that result."""

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled, or given to somebody else: what this run returns is dropped."""
        return self.control.cancelled

    def raise_if_cancelled(self) -> None:
        """Raise JobCancelled if the job was cancelled."""
        self.control.raise_if_cancelled()

    @property
    def state(self) -> Any:
        """What the job gave to `checkpoint` last, as JSON keeps it, in this run or an earlier one; None at first."""
        return self.checkpoints.state

    def checkpoint(self, state: Any) -> None:
        """Keep `state`, a JSON value, from which another run can go on; the job stops here if it is asked to.

        It is stored at most once a second, and always before the job stops. Inside a transaction on our database it is
        stored each time, together with the job's own writes, and the job does not pause before the transaction is over.
        Raises InvalidArgument for what JSON cannot hold, CheckpointTooLarge above ``MAX_PAYLOAD``.
        """
        self.checkpoints.keep(state)

    async def acheckpoint(self, state: Any) -> None:
        await sync_to_async(self.checkpoint)(state)

    async def astate(self) -> Any:
        return await sync_to_async(lambda: self.state)()

    def iterate(
        self,
        source: Any,
        *,
        name: str = "progress",
        total: int | None = None,
        chunk: int = 500,
        csv: bool | Mapping[str, Any] = False,
        encoding: str = "utf-8",
    ) -> Iteration[Any]:
        """The items of `source` that are left, with a checkpoint after each and a progress bar of that name.

        source: a queryset (by primary key, `chunk` rows in memory), a sequence, a path or an open file: its lines, or
        with ``csv=True`` (or options of `csv.reader`) its records as dictionaries.
        total: where the progress bar ends, if it is not to be counted. In async code use ``async for``.
        Raises InvalidJob naming the parameter.
        """
        found = source_of(source, chunk=chunk, csv=csv, encoding=encoding)
        return Iteration(name, found, self.checkpoints, self.console.progress_bar, total)

    def complete(self, result: Any = None) -> None:
        """End the job as Succeeded in the transaction that is open: its effect and its success commit together.

        Call it last in the transaction; what the function returns then is ignored. Raises TransactionManagementError
        outside of a transaction on our database, JobCancelled where the job was ended by somebody else, FilterFailed.
        """
        if not transaction.get_connection(settings.DATABASE).in_atomic_block or self.ending is None:
            raise TransactionManagementError(
                f"ctx.complete() belongs inside transaction.atomic(using={settings.DATABASE!r}) of a running job"
            )
        run = self.ending(result)
        if not machine.acknowledge([run], self.worker, strict=True).done:
            self.control.hear(CANCEL)
            raise JobCancelled("The job was ended, or given to another worker")
        runs.end((self.id, self.run))
        self.checkpoints.closed = True
        self.__dict__["_completed"] = run

    complete_in_transaction = complete

    @property
    def completed(self) -> Finish | None:
        """How `complete` ended the job, if it did."""
        return self.__dict__.get("_completed")

    @property
    def checkpoints(self) -> Checkpoints:
        """Made when the run first asks for its state."""
        found: Checkpoints | None = self.__dict__.get("_checkpoints")
        if found is None:
            made = Checkpoints(SQLStore(self.id, self.run, self.worker), self.control)
            found = self.__dict__.setdefault("_checkpoints", made)
        return found

    def flush(self) -> None:
        """Store what the rate limit held back of the checkpoint, where there is one."""
        found: Checkpoints | None = self.__dict__.get("_checkpoints")
        if found is not None:
            found.flush()

    def log(self, text: object, level: str = "info", color: str | None = None) -> None:
        """Write a line to the job's console; it is seen within half a second.

        level: "debug", "info", "success", "warning", "error" or "critical".
        color: "red", "green", "blue", "yellow", "cyan", "magenta" or "gray"; None is the level's own.
        Raises ValueError for any other.
        """
        self.console.log(text, level, color)

    def progress_bar(self, name: str = "progress", total: float | None = None) -> ProgressBar:
        """The progress bar of that name, a new one at 0. `total` is where it ends; None while nobody knows."""
        return self.console.progress_bar(name, total)

    def track(self, items: Iterable[T], name: str = "progress", total: float | None = None) -> Iterator[T]:
        """The items, one by one, with a progress bar that counts those done; `total` is their `len()` by default."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        bar = self.progress_bar(name, total)
        for item in items:
            yield item
            bar.advance()

    @property
    def parent_results(self) -> list[Any]:
        """The results of the jobs that this one waited for, in the order in which they were named."""
        return edges.results(self.id)

    @property
    def metadata(self) -> MetadataDict:
        """What the job keeps about itself, beside its result: a dictionary of JSON values that outlives its runs."""
        return self.console.metadata

    @property
    def console(self) -> Console:
        """Made when the run first says something."""
        found: Console | None = self.__dict__.get("_console")
        if found is None:
            found = self.__dict__.setdefault("_console", Console(self.id, self.run, outbox.stir))
        return found


_current: ContextVar[JobContext | None] = ContextVar("django_jobs_context", default=None)


def current() -> JobContext | None:
    """The context of the job that runs in this thread or task, None outside of a job."""
    return _current.get()
