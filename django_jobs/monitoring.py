"""Every read: jobs, counts, servers. No count is unbounded: final states come from counters, others stop at a cap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import Case, Q, QuerySet, Sum, When

from . import clock, states
from .conf import settings
from .models import Counter, Job, JobState, Queue, Server

CAP = 10_000
WINDOW = 25_000
"""How many of the newest jobs a search without an index looks at."""


@dataclass(frozen=True)
class Count:
    """A number of jobs; `capped` when there are at least that many."""

    number: int
    capped: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.capped else ''}"


def database_time() -> datetime | None:
    """What the database's clock says now; None for SQLite, whose clock is this host's."""
    connection = connections[settings.DATABASE]
    if connection.vendor == "sqlite":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()" if connection.vendor == "postgresql" else "SELECT UTC_TIMESTAMP(6)")
        told: datetime = cursor.fetchone()[0]
    return told.astimezone(UTC) if told.tzinfo else told.replace(tzinfo=UTC)


def jobs() -> QuerySet[Job]:
    """All jobs, newest first."""
    return Job.objects.using(settings.DATABASE)


def get(job_id: int) -> Job:
    """The job; raises Job.DoesNotExist."""
    return jobs().get(pk=job_id)


def capped_count(queryset: QuerySet[Any], cap: int = CAP) -> Count:
    """How many rows match, looking at no more than `cap` of them."""
    number = queryset.order_by().values("pk")[:cap].count()
    return Count(number, number >= cap)


def floor(queryset: QuerySet[Job], window: int = WINDOW) -> int | None:
    """The id up to which jobs are older than the newest `window` of these; None when there are not so many."""
    return queryset.order_by("-id").values_list("id", flat=True)[window : window + 1].first()


def job_number(text: str) -> int | None:
    """The id that a person typed, as in "12" or "#12"; None for any other text."""
    number = text.strip().removeprefix("#")
    return int(number) if number.isdecimal() and len(number) < 19 else None


def search(queryset: QuerySet[Job], text: str, *, reasons: bool = True) -> QuerySet[Job]:
    """The job of that number, or the jobs whose type, reason or creator's name contains the text.

    `reasons` may quote arguments, by an exception's message: who may not see those does not search in them.
    Only the number is found by an index: look at a window of the newest jobs (`floor`) otherwise.
    """
    number = job_number(text)
    if number is not None:
        return queryset.filter(pk=number)
    text = text.replace("\x00", "").strip()
    found = Q(job_type__icontains=text) | Q(created_by_name__icontains=text)
    return queryset.filter(found | Q(state_reason__icontains=text) if reasons else found)


def counts() -> dict[str, Count]:
    """How many jobs are in each state, in the order of the states."""
    finals = _final_counts()
    return {
        state: finals[state] if state in states.FINAL else capped_count(jobs().filter(state=state))
        for state in states.ALL
    }


def _final_counts() -> dict[str, Count]:
    signs = dict.fromkeys(states.FINAL, 1) | {f"{state}.left": -1 for state in states.FINAL}
    rows = (
        Counter.objects.using(settings.DATABASE)
        .filter(name__in=signs)
        .values_list("name")
        .annotate(total=Sum("value"))
        .order_by()
    )
    sums = dict.fromkeys(states.FINAL, 0)
    for name, total in rows:
        sums[name.removesuffix(".left")] += signs[name] * total
    return {state: Count(max(0, number)) for state, number in sums.items()}


def throughput(hours: int = 24) -> dict[str, int]:
    """How many jobs succeeded, failed and were deleted in the last `hours`, the current hour included."""
    since = clock.now() - timedelta(hours=hours)
    rows = (
        Counter.objects.using(settings.DATABASE)
        .filter(name__in=states.ENDED, hour__gt=since)
        .values_list("name")
        .annotate(total=Sum("value"))
        .order_by()
    )
    return dict.fromkeys(sorted(states.ENDED), 0) | dict(rows)


def failing_runs(hours: int) -> tuple[int, int]:
    """How many runs failed in the last `hours`, those that were tried again included, and how many ended at all."""
    since = clock.now() - timedelta(hours=hours)
    rows = Counter.objects.using(settings.DATABASE).filter(name__in=["succeeded", "failed", "retried"], hour__gt=since)
    sums = dict(rows.values_list("name").annotate(total=Sum("value")).order_by())
    failed = sums.get("failed", 0) + sums.get("retried", 0)
    return failed, failed + sums.get("succeeded", 0)


def history(job: Job) -> list[JobState]:
    """The job's states in order, the creation first; that one is read from the job's row and has no id."""
    created = JobState(job=job, name=job.created_state, created_at=job.created_at, run=0, data={"queue": job.queue})
    return [created, *JobState.objects.using(settings.DATABASE).filter(job=job).order_by("id")]


def servers() -> QuerySet[Server]:
    """Every `runjobs` with its children, the servers that are alive first."""
    rows = Server.objects.using(settings.DATABASE).filter(parent=None).prefetch_related("children")
    return rows.annotate(dead=Case(When(alive(), then=0), default=1)).order_by("dead", "name")


def alive() -> Q:
    """The condition under which a server counts as alive."""
    return Q(heartbeat_at__gt=clock.now() - timedelta(seconds=settings.SERVER_TIMEOUT))


def is_alive(server: Server) -> bool:
    """Whether the server gave a sign of life within the time-out."""
    age: timedelta = clock.now() - server.heartbeat_at
    return age < timedelta(seconds=settings.SERVER_TIMEOUT)


def live_servers() -> QuerySet[Server]:
    return Server.objects.using(settings.DATABASE).filter(alive(), kind=Server.Kind.SUPERVISOR)


def paused_queues() -> set[str]:
    """Names of the queues from which nothing is claimed now."""
    rows = Queue.objects.using(settings.DATABASE).filter(Queue.paused_at(clock.now()))
    return set(rows.values_list("name", flat=True))


def published_types() -> set[str]:
    """Job types that some live server can run."""
    return {name for types in live_servers().values_list("types", flat=True) for name in types}


def queue_waits() -> dict[str, dict[str, Any]]:
    """For each queue of the site: how many jobs wait, the oldest one's time, and how many live workers take it."""
    served = [set(queues) for queues in live_servers().filter(wanted="").values_list("queues", flat=True)]
    paused = paused_queues()
    answer = {}
    for name in settings.QUEUES:
        waiting = jobs().filter(state=states.ENQUEUED, queue=name)
        answer[name] = {
            "waiting": capped_count(waiting),
            "oldest": waiting.order_by("id").values_list("state_at", flat=True).first(),
            "servers": sum(name in queues for queues in served),
            "paused": name in paused,
        }
    return answer
