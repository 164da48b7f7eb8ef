"""Bells that this worker cannot answer: handed to a server that can, or left to wait where nobody can."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from .. import clock, monitoring, queues, states
from ..models import Job
from ..policies import batches
from ..states import machine
from ..states.moves import Target

Bell = tuple[int, str, int]
NOBODY = "No worker knows this type"


def forward(ids: Iterable[int], types: Collection[str]) -> list[Bell]:
    """Deal with the jobs behind bells that could not be claimed; returns the bells of those that somebody has locked.

    A job in another state needs no bell. One that came too late is deleted. One whose type this server does not take is
    handed to a server that does; where there is none, it stays Enqueued, says so, and is not rung until there is one.
    """
    now = clock.now()
    rows = monitoring.jobs().filter(pk__in=list(ids), state=states.ENQUEUED)
    late: list[int] = []
    strange: dict[str, list[Job]] = defaultdict(list)
    locked: list[Job] = []
    cancelled: dict[int, list[int]] = defaultdict(list)
    paused = monitoring.paused_queues()
    found = list(rows.only("queue", "priority", "job_type", "start_before", "state_reason", "batch").order_by("id"))
    stopped = batches.cancelled_among({job.batch_id for job in found if job.batch_id is not None})
    for job in found:
        if job.start_before is not None and job.start_before <= now:
            late.append(job.pk)
        elif job.batch_id in stopped:
            cancelled[job.batch_id].append(job.pk)
        elif job.queue in paused:
            continue  # whoever resumes the queue rings again, and so does the sweep when the pause is over
        elif job.job_type not in types:
            strange[job.job_type].append(job)
        else:
            locked.append(job)
    expire(late)
    for batch, members in cancelled.items():
        target = Target(states.DELETED, batches.cancelled(stopped[batch]))
        machine.move(members, target, expected={states.ENQUEUED}, strict=False)
    if strange:
        _hand_over(strange)
    return [(job.pk, job.queue, job.priority) for job in locked]


def expire(ids: list[int]) -> None:
    """Delete jobs that could not start in time."""
    if ids:
        target = Target(states.DELETED, "Expired: it could not start in time")
        machine.move(ids, target, expected={states.ENQUEUED}, strict=False)


def _hand_over(strange: dict[str, list[Job]]) -> None:
    known = addresses()
    for job_type, jobs in strange.items():
        for job in jobs:
            address = known.get((job.queue, job_type))
            if address is not None:
                queues.ring([(job.pk, job.queue, job.priority)], address=address)
            else:
                machine.explain([job.pk], NOBODY)


def addresses() -> dict[tuple[str, str], str]:
    """For each (queue, job type) that some live server takes: the address at which it listens.

    One without workers takes nothing; one that is quiet only what nobody else does.
    """
    found: dict[tuple[str, str], str] = {}
    for server in monitoring.live_servers().filter(slots__gt=0).order_by("wanted", "id"):
        for queue in server.queues:
            for job_type in server.types:
                found.setdefault((queue, job_type), server.address)
    return found
