"""What is told of a job: its states, what it was asked, what it said."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any, NamedTuple

from .. import states
from ..conf import settings
from ..models import Checkpoint, ConsoleLine, Job, JobState, Metadata, Progress, Server


def history(job: Job) -> list[JobState]:
    """The job's states in order, the creation first; that one is read from the job's row and has no id."""
    return [_creation(job), *changes([job.pk])]


class Past(NamedTuple):
    """A part of a job's history, in order; `earlier` is the id before which there is more, None at its beginning."""

    entries: list[JobState]
    earlier: int | None


def past(job: Job, *, before: int | None = None, limit: int = 50) -> Past:
    """The newest changes of the job's state, at most `limit`, or those `before` an id; at their beginning the creation.

    A job that is tried again for a year has a history that no page should read at once.
    """
    rows = JobState.objects.using(settings.DATABASE).filter(job=job.pk).order_by("-id")
    found = list((rows if before is None else rows.filter(id__lt=before))[: limit + 1])
    if len(found) > limit:
        return Past(found[:limit][::-1], found[limit - 1].pk)
    return Past([_creation(job), *found[::-1]], None)


def _creation(job: Job) -> JobState:
    return JobState(job=job, name=job.created_state, created_at=job.created_at, run=0, data={"queue": job.queue})


def changes(job_ids: Iterable[int]) -> list[JobState]:
    """Every state that these jobs entered after their creation, in order."""
    return list(JobState.objects.using(settings.DATABASE).filter(job__in=list(job_ids)).order_by("id"))


class Pending(Enum):
    """What was asked of a run that goes on and has not answered yet."""

    PAUSE = "it is to pause at its next checkpoint"
    DEAF_TO_PAUSE = "it is to pause, but has made no checkpoint in this run; one that makes none ends by itself"
    CANCEL = "it was cancelled, and its function still runs"
    KILL = "it was cancelled by force, and its worker is being ended"


def pending(job: Job) -> Pending | None:
    """What the job has not answered yet; None where nothing is open."""
    if job.state == states.PROCESSING and job.asked == "pause":
        return Pending.PAUSE if checkpoint(job, run=job.run) else Pending.DEAF_TO_PAUSE
    if job.state == states.DELETED and job.asked:
        lives = Server.objects.using(settings.DATABASE).filter(name=job.worker).exists()
        return (Pending.KILL if job.asked == "kill" else Pending.CANCEL) if lives else None
    return None


def checkpoint(job: Job, *, run: int | None = None) -> Checkpoint | None:
    """The job's last checkpoint that counts, or that of a run; None where there is none."""
    rows = Checkpoint.objects.using(settings.DATABASE).filter(job_id=job.pk, run__gt=job.anew_after)
    return (rows if run is None else rows.filter(run=run)).first()


def console(
    job_id: int, *, after: int = 0, run: int | None = None, limit: int = 1000, newest: bool = False
) -> list[ConsoleLine]:
    """The lines of the job's console whose number is above `after`, in order; of one run, or of all.

    At most `limit`: the first ones, or the `newest`. Where numbers are missing, lines were left out.
    """
    lines = ConsoleLine.objects.using(settings.DATABASE).filter(job=job_id, number__gt=after)
    if run is not None:
        lines = lines.filter(run=run)
    found = list(lines.order_by("-number" if newest else "number")[:limit])
    return found[::-1] if newest else found


def progress(job_id: int, *, run: int | None = None) -> list[Progress]:
    """The progress bars of one run of the job, or of all, in the order in which they were made."""
    bars = Progress.objects.using(settings.DATABASE).filter(job=job_id).order_by("run", "id")
    return list(bars if run is None else bars.filter(run=run))


def first_bars(job_ids: Iterable[int]) -> dict[int, Progress]:
    """For each of the jobs that has progress bars: the first one of its newest run."""
    bars = Progress.objects.using(settings.DATABASE).filter(job__in=list(job_ids)).order_by("run", "-id")
    return {bar.job_id: bar for bar in bars}


def metadata(job_id: int) -> dict[str, Any]:
    """What the job keeps about itself (``ctx.metadata``)."""
    return Metadata.objects.using(settings.DATABASE).filter(pk=job_id).values_list("data", flat=True).first() or {}


QUOTING = ("Retry ", "Waits for ", "Cancelled by itself: ", "Cancelled by filter ")
"""How reasons begin that go on with a colon and what code, or an exception, has said."""


def cause(state: str, reason: str) -> str:
    """The reason without what may quote arguments (messages, keys): for those who may not see payloads."""
    told = reason.startswith(QUOTING) or state == states.FAILED
    return reason.partition(": ")[0] if told else reason
