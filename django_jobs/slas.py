"""Service levels: how long jobs of a type may wait (``max_wait``) and run (``max_run``). A breach is noted and told.

The leader notices it while the job still waits or runs; the worker, at the end of the run, what was over before the
leader looked; where the worker was killed, its supervisor. Types without service levels cost nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db.models import Exists, F, OuterRef

from . import clock, monitoring, signals, states
from .conf import settings
from .models import Breach, Job, JobState
from .registry import JobType, registry
from .states.statements import Claimed, Finish

logger = logging.getLogger("django_jobs.server")

PAGE = 500
"""Most breaches of one type that one look takes on; the others come with the next."""


def look() -> None:
    """The leader's look at jobs that wait or run: those over their limits, which are not noted yet."""
    for job_type in registry:
        if job_type.max_wait is not None:
            _look(job_type, Breach.Kind.WAIT, states.ENQUEUED, job_type.max_wait)
        if job_type.max_run is not None:
            _look(job_type, Breach.Kind.RUN, states.PROCESSING, job_type.max_run)


def observe(job: Claimed, run: Finish, job_type: JobType) -> None:
    """Look at a run that has ended. What goes wrong here is logged, and concerns nobody else."""
    _observe(job, job_type, run.started_at, run.finished_at)


def observe_killed(ids: Collection[int], worker: str) -> None:
    """Look at runs that have ended with their worker, before they are put back, or fail."""
    types = {name: job_type for job_type in registry if job_type.has_sla for name in (job_type.name, *job_type.aliases)}
    if types and ids:
        held = monitoring.jobs().filter(pk__in=ids, state=states.PROCESSING, worker=worker, job_type__in=types)
        for job in held.order_by("pk"):
            _observe(job, types[job.job_type], job.started_at or job.state_at, clock.now())


def _observe(job: Claimed | Job, job_type: JobType, started: datetime, ended: datetime) -> None:
    try:
        if job_type.max_wait is not None:
            waited = (started - _waited_since(job)).total_seconds()
            _note(job.id, job.failures + 1, Breach.Kind.WAIT, job_type.max_wait, waited)
        if job_type.max_run is not None:
            ran = (ended - started).total_seconds()
            _note(job.id, job.failures + 1, Breach.Kind.RUN, job_type.max_run, ran)
    except (DatabaseError, Job.DoesNotExist) as error:  # a cancelled job's retention may end before its run does
        logger.warning("Whether job %d kept its service level was not noted: %s", job.id, str(error).strip())


def breached(ids: Collection[int]) -> dict[int, list[Breach]]:
    """The breaches of these jobs, by job."""
    found: dict[int, list[Breach]] = {}
    for breach in Breach.objects.using(settings.DATABASE).filter(job__in=ids) if ids else ():
        found.setdefault(breach.job_id, []).append(breach)
    return found


def _look(job_type: JobType, kind: str, state: str, limit: float) -> None:
    now = clock.now()
    noted = Breach.objects.filter(job=OuterRef("pk"), kind=kind, attempt=OuterRef("failures") + 1)
    names = [job_type.name, *job_type.aliases]
    late = monitoring.jobs().filter(job_type__in=names, state=state, state_at__lt=now - timedelta(seconds=limit))
    rows = late.exclude(Exists(noted)).order_by("pk").values_list("pk", F("failures") + 1, "state_at")[:PAGE]
    for pk, attempt, since in rows:
        _note(pk, attempt, kind, limit, (now - since).total_seconds())


def _waited_since(job: Claimed | Job) -> datetime:
    """When the job came into its queue for this run; the history noted that with the number of the run before."""
    entries = JobState.objects.using(settings.DATABASE).filter(job_id=job.id, name=states.ENQUEUED, run=job.run - 1)
    found = entries.order_by("-id").values_list("created_at", flat=True).first()
    return found or Job.objects.using(settings.DATABASE).values_list("created_at", flat=True).get(pk=job.id)


def _note(job_id: int, attempt: int, kind: str, limit: float, seconds: float) -> None:
    """Note a breach, once; who noted it tells those who listen."""
    if seconds <= limit:
        return
    facts = {"limit": limit, "seconds": seconds, "noticed_at": clock.now()}
    rows = Breach.objects.using(settings.DATABASE)
    breach, is_new = rows.get_or_create(job_id=job_id, attempt=attempt, kind=kind, defaults=facts)
    if is_new:
        logger.warning("Job %d broke its service level. %s", job_id, breach, extra={"job_id": job_id})
        signals.sla_breached.send_robust(Job, breach=breach)
