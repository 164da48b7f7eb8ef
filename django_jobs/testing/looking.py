"""See what was enqueued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, overload

from django.db.models import Max

from .. import monitoring, states
from ..call import encode_arguments
from ..decorators import JobFunction
from ..models import Job


class CapturedJobs(Sequence[Job]):
    """The jobs that were stored since the capture began, in their order; those of a transaction rolled back are not."""

    def __init__(self) -> None:
        self._last = monitoring.jobs().aggregate(last=Max("pk"))["last"] or 0
        self._kept: list[Job] | None = None

    def keep(self) -> None:
        """End the capture: what is stored from now on is not among them."""
        self._kept = self._jobs()

    def _jobs(self) -> list[Job]:
        if self._kept is not None:
            return self._kept
        return list(monitoring.jobs().filter(pk__gt=self._last).order_by("pk"))

    @overload
    def __getitem__(self, index: int) -> Job: ...

    @overload
    def __getitem__(self, index: slice) -> list[Job]: ...

    def __getitem__(self, index: int | slice) -> Job | list[Job]:
        return self._jobs()[index]

    def __len__(self) -> int:
        return len(self._jobs())

    def __repr__(self) -> str:
        return f"[{', '.join(job.call for job in self._jobs())}]"


@contextmanager
def capture_jobs() -> Iterator[CapturedJobs]:
    """The jobs that the block stores, as a sequence; they are stored, and not run."""
    captured = CapturedJobs()
    yield captured
    captured.keep()


def assert_enqueued(
    task: JobFunction[Any, Any] | str,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    among: Iterable[Job] | None = None,
    **fields: Any,
) -> Job:
    """The one job of that type which is stored with these arguments and fields; AssertionError unless it is just one.

    args, kwargs: as in the call; None is any. among: the jobs of a capture; default is all that have not ended.
    fields: of the Job, such as ``queue="critical"``.
    """
    name = task if isinstance(task, str) else task.name
    jobs = list(monitoring.jobs().exclude(state__in=states.ENDED).order_by("pk") if among is None else among)
    found = [job for job in jobs if job.job_type == name and _fits(job, args, kwargs, fields)]
    if len(found) != 1:
        stored = "\n".join(f"  {job.call} in {job.queue}, {job.state}" for job in jobs) or "  none"
        raise AssertionError(f"{len(found)} jobs {name} are stored with these arguments; the jobs are:\n{stored}")
    return found[0]


def _fits(job: Job, args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> bool:
    plain_args, plain_kwargs = encode_arguments(None, tuple(args or ()), kwargs or {})
    if (args is not None and job.args != plain_args) or (kwargs is not None and job.kwargs != plain_kwargs):
        return False
    return all(getattr(job, name) == value for name, value in fields.items())
