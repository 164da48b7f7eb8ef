"""Every exception of django_jobs, in one place. The docstring says when it is raised; facts are attributes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from difflib import get_close_matches


class JobsError(Exception):
    """Base of all exceptions of django_jobs."""


class InvalidJob(JobsError, ValueError):
    """A call was refused at the door; nothing was stored.

    ``field`` names what was wrong (``"args[0]"``, ``"queue"``, ``"job_type"``…).
    """

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


class _Unknown(InvalidJob):
    what = "name"

    def __init__(self, field: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
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

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__("queue", name, known)


class DuplicateJobType(JobsError):
    """Two functions were registered under one job type name."""

    def __init__(self, name: str, first: str, second: str) -> None:
        super().__init__(
            f"The job type name {name!r} is used twice: by {first} and by {second}. Give one of them "
            f'a name of its own: @job("another-name")'
        )
        self.name = name


class JobTimeout(JobsError, TimeoutError):
    """A running job took longer than its ``timeout``.

    As a TimeoutError it is an OSError, too: a job that catches those around its network calls lets this one pass on.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The job ran longer than its time limit of {seconds:g} seconds")
        self.seconds = seconds


class Snooze(JobsError):
    """Raised by a job to be put back: it runs again after `delay` (seconds, or a timedelta); no attempt is counted."""

    LONGEST = 100 * 365 * 86400.0

    def __init__(self, delay: float | timedelta) -> None:
        seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
        if not seconds <= self.LONGEST:
            raise ValueError(f"Snooze({delay!r}): give a delay of at most a hundred years")
        super().__init__(f"Put back for {seconds:g} seconds")
        self.seconds = max(0.0, seconds)


class StillRunning(JobsError, TimeoutError):
    """``job.wait(timeout=…)`` gave up: the job had not ended by then."""

    def __init__(self, job_id: int, state: str, timeout: float) -> None:
        super().__init__(f"Job {job_id} is still {state} after {timeout:g} seconds")
        self.job_id = job_id
        self.state = state
