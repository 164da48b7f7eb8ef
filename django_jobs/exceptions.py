"""Every exception of django_jobs, in one place. The docstring says when it is raised; facts are attributes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any


class JobsError(Exception):
    """Base of all exceptions of django_jobs."""


class InvalidJob(JobsError, ValueError):
    """A call was refused at the door; nothing was stored. ``field`` names what was wrong: ``"args[0]"``, say."""

    at: int | None = None
    """Number of the call, from 0, where several were made at once and it is not the fault of all."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidArgument(InvalidJob):
    """An argument of a call cannot be stored as JSON, or does not fit the function's signature."""


class PayloadTooLarge(InvalidJob):
    """The arguments of a call are larger, as JSON, than the setting ``MAX_PAYLOAD`` allows."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            "args",
            f"the arguments take {size:,} bytes as JSON, the limit is {limit:,} (DJANGO_JOBS['MAX_PAYLOAD']); "
            "store the data and pass its key",
        )
        self.size = size
        self.limit = limit


class CheckpointTooLarge(InvalidJob):
    """What a job keeps in its checkpoint is larger, as JSON, than the setting ``MAX_PAYLOAD`` allows."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            "state",
            f"the checkpoint takes {size:,} bytes as JSON, the limit is {limit:,} (DJANGO_JOBS['MAX_PAYLOAD']); "
            "keep a position in it, and the data elsewhere",
        )
        self.size = size
        self.limit = limit


class _Unknown(InvalidJob):
    what, none = "name", "none"

    def __init__(self, field: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(str(name), names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or self.none}"
        super().__init__(field, f"no {self.what} is named {name!r}; {hint}")
        self.name = name


class UnknownJobType(_Unknown):
    """No job type has this name: it is neither registered here nor published by a live server."""

    what = "job type"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__("job_type", name, known)


class UnknownQueue(_Unknown):
    """The queue is not one of the site's ``RQ_QUEUES``."""

    what = "queue"
    none = "none, since the setting RQ_QUEUES is empty"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__("queue", name, known)


class UnknownRecurringJob(JobsError, LookupError):
    """No recurring job has this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"No recurring job has the id {id!r}")
        self.id = id


class DuplicateJob(JobsError):
    """A call with ``on_duplicate="raise"`` has a unique key that another job holds; nothing was stored.

    ``key`` is the key, ``job`` the job that holds it (None if the same set of calls has the key twice).
    """

    def __init__(self, key: str, job: Any = None) -> None:
        holder = "another call of the same set has it" if job is None else f"job {job.pk} holds it and is {job.state}"
        super().__init__(f"The unique key {key!r} is taken: {holder}")
        self.key = key
        self.job = job


class DuplicateJobType(JobsError):
    """Two functions were registered under one job type name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(
            f"The job type name {name!r} is used twice: by {first} and by {second}. Give one of them "
            f'a name of its own: @job("another-name")'
        )
        self.name = name


class InvalidPlugin(JobsError, ValueError):
    """A plug-in cannot be used as it is, or as it is configured; ``field`` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field
        self.message = message


class CronError(JobsError, ValueError):
    """A cron expression or its time zone cannot be understood.

    ``field`` names the part: ``"hour"``, ``"day of month"``, ``"time_zone"``…, ``"cron"`` for the whole.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidCron(CronError, InvalidJob):
    """A recurring job was refused: ``field`` is ``"cron"`` or ``"time_zone"``."""

    def __init__(self, field: str, message: str) -> None:
        Exception.__init__(self, f"{field}: {message}")
        self.field = field
        self.message = message


class JobTimeout(JobsError, TimeoutError):
    """A running job took longer than its ``timeout``.

    As a TimeoutError it is an OSError, too: a job that catches those around its network calls lets this one pass on.
    """

    def __init__(self, seconds: float, *, hard: bool = False) -> None:
        kind, end = ("hard time limit", "; its process was killed") if hard else ("time limit", "")
        super().__init__(f"The job ran longer than its {kind} of {seconds:g} seconds{end}")
        self.seconds = seconds
        self.hard = hard


class MemoryLimitExceeded(JobsError, MemoryError):
    """An isolated job wanted more memory than its ``memory_limit`` allows."""

    def __init__(self, megabytes: float) -> None:
        super().__init__(f"The job wanted more memory than its limit of {megabytes:g} MB")
        self.megabytes = megabytes


class ProcessDied(JobsError):
    """The process of an isolated job ended under it: by a signal, or because the job left it.

    ``signal`` is the name of the signal, empty when there was none; ``status`` the exit status otherwise.
    """

    def __init__(self, status: int) -> None:
        code = os.waitstatus_to_exitcode(status)
        self.signal = signal.Signals(-code).name if code < 0 else ""
        self.status = max(code, 0)
        how = f"was killed by {self.signal}" if self.signal else f"ended with status {self.status}"
        super().__init__(f"The process of the job {how}")


class Snooze(JobsError):
    """Raised by a job to be put back: it runs again after `delay` (seconds, or a timedelta); no attempt is counted."""

    LONGEST = 100 * 365 * 86400.0

    def __init__(self, delay: float | timedelta) -> None:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
        if not seconds <= self.LONGEST:
            raise ValueError(f"Snooze({delay!r}): give a delay of at most a hundred years")
        super().__init__(f"Put back for {seconds:g} second{'' if seconds == 1 else 's'}")
        self.seconds = max(0.0, seconds)


class JobStopped(BaseException):
    """A run is to end before its function returns. No Exception: ``except Exception`` around a step lets it pass."""


class JobCancelled(JobStopped):
    """Raised inside a running job that was cancelled. A job that raises it itself is Deleted, "Cancelled by itself"."""

    def __init__(self, message: str = "The job was cancelled") -> None:
        super().__init__(message)


class JobInterrupted(JobStopped):
    """Raised at a checkpoint of a job that is to pause, or whose worker stops; it goes on from there later."""

    def __init__(self, message: str = "The job stops at its checkpoint") -> None:
        super().__init__(message)


class Cancel(JobsError):
    """Raised around a run, by a filter or a middleware (or by the job itself): the job is Deleted with this reason."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.by = ""
        """The filter or middleware that raised it; empty when the job did."""


class EnqueueCancelled(JobsError):
    """A filter refused a call before it was stored. Nothing of the call is stored, nor of the set it belongs to."""

    def __init__(self, job_type: str, reason: str) -> None:
        super().__init__(f"A filter refused to enqueue {job_type}{': ' if reason else ''}{reason}")
        self.job_type = job_type
        self.reason = reason


class FilterFailed(JobsError):
    """A filter raised in a change of state, and the change was undone. A verb's caller gets this.

    Where no person waits, the filter is asked again after growing pauses, and then the job is Failed.
    """

    def __init__(self, name: str, error: BaseException) -> None:
        self.filter = name
        self.kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        try:
            self.message = str(error)
        except Exception:  # noqa: BLE001  (an exception whose own text cannot be made)
            self.message = "(its message could not be read)"
        self.ids: list[int] = []
        """The jobs of the set that was to move."""
        super().__init__(f"the filter {name} raised {self.kind}: {self.message}")

    @property
    def reason(self) -> str:
        """For the history, which more people may see than the message."""
        return f"Filter {self.filter} raised {self.kind}"


class WebhookFailed(JobsError):
    """The receiver of a webhook could not be reached, or did not answer with a status of 2xx."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"The webhook of {host} failed: {why}")


class WebhookRefused(JobsError):
    """Nothing was sent to a webhook: its address is none, or leads to where no stranger's request should."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"The webhook of {host} is refused: {why}")


class StillStarted(JobsError, TimeoutError):
    """``batch.wait(timeout=…)`` gave up: the batch had not ended by then."""

    def __init__(self, batch_id: int, timeout: float) -> None:
        super().__init__(f"Batch {batch_id} has not ended after {timeout:g} seconds")
        self.batch_id = batch_id


class StillRunning(JobsError, TimeoutError):
    """``job.wait(timeout=…)`` gave up: the job had not ended by then."""

    def __init__(self, job_id: int, state: str, timeout: float) -> None:
        super().__init__(f"Job {job_id} is still {state} after {timeout:g} seconds")
        self.job_id = job_id
        self.state = state


class InvalidEvent(JobsError, ValueError):
    """A message of a broker is no event that can be handled; ``field`` names what was wrong with it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class SourceRefused(JobsError):
    """A message broker is there, but does not let us listen: the rights, or a queue that was declared otherwise."""
