"""Looks at the work: servers, what waits, what failed. They change from one moment to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from urllib.parse import urlencode

from django.db.models import Q, QuerySet

from .. import clock, monitoring, queues, states
from ..conf import settings
from ..masking import masks_of
from ..models import Job, Lease, RecurringJob
from .finding import Finding

LONG_WAIT = timedelta(minutes=5)


def servers() -> Iterator[Finding]:
    living = monitoring.living()
    if not living:
        remedy = "Start `manage.py runjobs`, see the deploy guide."
        yield Finding("error", "Servers", "none runs, so no job does", remedy, place="servers")
        return
    slots = sum(server.slots for server in living)
    if not slots:
        remedy = "Start runjobs with --processes of 1 or more."
        yield Finding("error", "Workers", "no server has a worker process", remedy, place="servers")
    yield Finding("ok", "Servers", f"{len(living)} alive with {slots} worker(s)", place="servers")
    dead = [server for server in monitoring.fleet() if not monitoring.is_alive(server)]
    for server in dead[:20]:
        remedy = "The leader forgets it and puts back its jobs. If that does not happen, no scheduler runs."
        yield Finding("warning", f"Server {server.name}", "shows no sign of life", remedy, place="servers")


def leader() -> Iterator[Finding]:
    lease = Lease.objects.using(settings.DATABASE).filter(name="scheduler").first()
    if lease is None or lease.until < clock.now():
        remedy = "Run a runjobs without --no-scheduler: without one nothing delayed starts and nothing is repaired."
        yield Finding("error", "Scheduler", "nobody leads", remedy, place="servers")
    else:
        yield Finding("ok", "Scheduler", f"{lease.holder} leads")


def waiting() -> Iterator[Finding]:
    for queue, facts in monitoring.queue_waits().items():
        oldest = facts["oldest"]
        waited = clock.now() - oldest if oldest else timedelta(0)
        if facts["paused"]:
            remedy = f"`jobs queues resume {queue}` lets its jobs run again."
            told = f"is paused, {facts['waiting']} job(s) wait"
            yield Finding("warning", f"Queue {queue}", told, remedy, place="queues")
        elif not facts["servers"] and oldest:
            remedy = f"Start runjobs with --queues {queue} or without --queues, or `jobs servers resume all`."
            told = f"{facts['waiting']} job(s) wait, no server takes it"
            yield Finding("error", f"Queue {queue}", told, remedy, place="servers")
        elif waited > LONG_WAIT:
            remedy = "Add workers (--processes), give urgent jobs a queue of their own, or make the jobs shorter."
            told = f"{facts['waiting']} job(s) wait, the oldest for {str(waited).split('.')[0]}"
            yield Finding("warning", f"Queue {queue}", told, remedy, place=_waiting_in(queue))
        else:
            yield Finding(
                "ok", f"Queue {queue}", f"{facts['waiting']} job(s) wait, {facts['servers']} server(s) take it"
            )


def _waiting_in(queue: str) -> str:
    return "jobs?" + urlencode({"state": states.ENQUEUED, "queue": queue})


def bells() -> Iterator[Finding]:
    """Jobs that wait although servers take their queue, and that Redis knows nothing of."""
    addresses = {server.address for server in monitoring.living()}
    for queue, facts in monitoring.queue_waits().items():
        oldest = facts["oldest"]
        late = oldest is not None and clock.now() - oldest > timedelta(seconds=2 * settings.SWEEP_INTERVAL)
        if not late or facts["paused"] or not facts["servers"]:
            continue
        try:
            lost = not queues.rung(queue, addresses)
        except queues.Unreachable:
            continue  # `redis` tells it
        if lost:
            told = f"{facts['waiting']} job(s) wait, and Redis has lost their bells"
            remedy = "The scheduler rings again by itself. If this stays, see what is said of it and of job types."
            yield Finding("error", f"Queue {queue}", told, remedy, place=_waiting_in(queue))


def unknown_types() -> Iterator[Finding]:
    published = {name for server in monitoring.living() for name in server.types}
    enqueued = monitoring.jobs().filter(state=states.ENQUEUED).exclude(job_type__in=published)
    for name in sorted(set(enqueued.order_by().values_list("job_type", flat=True)[:1000])) if published else ():
        remedy = "Deploy the code that registers it (or give the renamed type this alias), or delete the jobs."
        place = "jobs?" + urlencode({"state": states.ENQUEUED, "job_type": name})
        yield Finding("error", f"Job type {name}", "is waited for, but no live server knows it", remedy, place=place)


def stuck() -> Iterator[Finding]:
    before = clock.now() - timedelta(seconds=2 * settings.SERVER_TIMEOUT)
    known = [row.name for server in monitoring.living() for row in (server, *server.children.all())]
    overdue = monitoring.jobs().filter(state=states.SCHEDULED, scheduled_at__lt=before)
    held = monitoring.jobs().filter(state=states.PROCESSING, state_at__lt=before).exclude(worker__in=known)
    late, lost = monitoring.capped_counts([overdue, held])
    if late.number:
        remedy = "See the finding on the scheduler; `jobs list --state scheduled` shows them."
        yield Finding("error", "Delayed jobs", f"{late} are overdue", remedy, place="jobs?state=scheduled")
    if lost.number:
        remedy = "The leader puts them back; if it does not, no scheduler runs."
        told = f"{lost} belong to workers that are gone"
        yield Finding("error", "Running jobs", told, remedy, place="jobs?state=processing")


def failures() -> Iterator[Finding]:
    failed, total = monitoring.failing_runs(2)
    if failed * 5 > total:
        remedy = "`jobs list --state failed` (or scheduled, for those to be tried again) and `jobs show ID` tell why."
        told = f"{failed} of {total} runs failed in the last two hours"
        yield Finding("warning", "Failures", told, remedy, quote=_commonest_reason(), place="failures")
    elif total:
        yield Finding("ok", "Failures", f"{failed} of {total} runs in the last two hours", place="failures")


def _commonest_reason() -> str:
    newest = monitoring.jobs().filter(state=states.FAILED).order_by("-id")
    said = _reasons(newest) or _reasons(monitoring.retrying())
    if not said:
        return ""
    reasons = list(said.values())
    reason = max(set(reasons), key=reasons.count)
    job_id = next(pk for pk, text in said.items() if text == reason)
    mask = masks_of([job_id]).get(job_id)
    return f", most often with: {mask.text(reason) if mask else monitoring.cause(states.FAILED, reason)}"


def _reasons(rows: QuerySet[Job]) -> dict[int, str]:
    return dict(rows.values_list("pk", "state_reason")[:200])


def recurring() -> Iterator[Finding]:
    """Recurring jobs that stopped by themselves, or that nobody looks at."""
    late = clock.now() - timedelta(minutes=1)
    condition = ~Q(error="") | Q(orphaned_at__isnull=False) | Q(enabled=True, next_run__lt=late)
    rows = RecurringJob.objects.using(settings.DATABASE).filter(condition)
    wrong = list(rows.only("pk", "error", "orphaned_at", "enabled", "next_run")[:30])
    if ids := _some(row for row in wrong if row.error):
        remedy = "Correct or enable them; `jobs schedules` says what is wrong."
        yield Finding("error", "Recurring jobs", f"broken: {ids}", remedy, place="recurring?status=broken")
    if ids := _some(row for row in wrong if row.orphaned and not row.error):
        remedy = "Enable those that are to go on, and delete the others."
        told = f"no longer declared, so they stopped: {ids}"
        yield Finding("warning", "Recurring jobs", told, remedy, place="recurring?status=orphaned")
    if ids := _some(row for row in wrong if row.enabled and row.next_run and row.next_run < late):
        told = f"overdue: {ids}"
        yield Finding("error", "Recurring jobs", told, "Start a server with a scheduler.", place="recurring")


def _some(rows: Iterable[RecurringJob]) -> str:
    return ", ".join([row.pk for row in rows][:10])
