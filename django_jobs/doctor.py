"""What is wrong, and what to do: every finding names a remedy. `jobs doctor` and the dashboard show them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from . import clock, monitoring, queues, states
from .backoff import retry_from
from .conf import settings
from .models import Lease, Server
from .registry import registry

Level = Literal["ok", "warning", "error"]

SLOW_DATABASE = 0.02
LONG_WAIT = timedelta(minutes=5)
CLOCK_DRIFT = 2.0
MISCONFIGURED = (ImproperlyConfigured, KeyError, OSError, TypeError, ValueError)
"""What a broken setting raises; it must not keep the other findings from being told."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `level`, what was found, and, unless all is well, what to do about it."""

    level: Level
    subject: str
    found: str
    remedy: str = ""


Look = Callable[[], Iterator[Finding]]


def examine(*, leave_out: Collection[Look] = ()) -> list[Finding]:
    """Look at everything but `leave_out`. Without a database the rest cannot be told, so it comes first."""
    found = list(database())
    if any(finding.level == "error" for finding in found):
        return found
    for look in LOOKS:
        if look in leave_out:
            continue
        try:
            found += look()
        except DatabaseError as error:
            found.append(Finding("error", look.__name__, f"could not be examined: {error}", "See the database's log."))
        except MISCONFIGURED as error:
            remedy = "Check the settings that it reads, RQ_QUEUES and DJANGO_JOBS."
            found.append(Finding("error", look.__name__, f"could not be examined: {error!r}", remedy))
    return found


def database() -> Iterator[Finding]:
    connection = connections[settings.DATABASE]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            began = time.monotonic()
            cursor.execute("SELECT 1")
            took = time.monotonic() - began
        missing = _missing_migrations()
    except DatabaseError as error:
        remedy = f"Check DATABASES[{settings.DATABASE!r}], and that the database server runs and lets this host in."
        yield Finding("error", "Database", f"cannot be used: {str(error).strip()}", remedy)
        return
    if missing:
        remedy = f"Run `manage.py migrate --database {settings.DATABASE}`, or `runjobs --migrate`."
        yield Finding("error", "Migrations", f"not applied: {', '.join(missing)}", remedy)
    if took > SLOW_DATABASE:
        remedy = "Every set of jobs takes a few such round trips: run the workers closer to the database."
        yield Finding("warning", "Database", f"answers in {took * 1000:.0f} ms", remedy)
    else:
        yield Finding("ok", "Database", f"{connection.vendor} answers in {took * 1000:.1f} ms")


def _missing_migrations() -> list[str]:
    executor = MigrationExecutor(connections[settings.DATABASE])
    wanted = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "django_jobs"]
    return [migration.name for migration, _ in executor.migration_plan(wanted) if migration.app_label == "django_jobs"]


def configuration() -> Iterator[Finding]:
    messages = [message for message in run_checks() if str(message.id).startswith("django_jobs.")]
    for message in messages:
        level: Level = "error" if message.is_serious() else "warning"
        yield Finding(level, f"Settings ({message.id})", message.msg, message.hint or "")
    if not messages:
        yield Finding("ok", "Settings", "pass the system checks")


def redis() -> Iterator[Finding]:
    for group in queues.by_connection(queues.names()):
        subject = f"Redis of {', '.join(group)}"
        try:
            version, policy = queues.facts(group[0])
        except (queues.Unreachable, OSError) as error:
            remedy = "Jobs are stored and wait; they run once it is back. Check RQ_QUEUES and that the server runs."
            yield Finding("error", subject, f"cannot be reached: {error}", remedy)
            continue
        if policy not in {"noeviction", "unknown"}:
            remedy = "Set maxmemory-policy noeviction; the sweep repairs what is lost, but late."
            yield Finding("warning", subject, f"may drop bells when its memory is full ({policy})", remedy)
        else:
            yield Finding("ok", subject, f"version {version}")


def servers() -> Iterator[Finding]:
    living = list(monitoring.live_servers())
    if not living:
        yield Finding(
            "error", "Servers", "none runs, so no job does", "Start `manage.py runjobs`, see the deploy guide."
        )
        return
    slots = sum(server.slots for server in living)
    if not slots:
        yield Finding(
            "error", "Workers", "no server has a worker process", "Start runjobs with --processes of 1 or more."
        )
    yield Finding("ok", "Servers", f"{len(living)} alive with {slots} worker(s)")
    dead = Server.objects.using(settings.DATABASE).exclude(monitoring.alive()).filter(parent=None)
    for server in dead[:20]:
        remedy = "The leader forgets it and puts back its jobs. If that does not happen, no scheduler runs."
        yield Finding("warning", f"Server {server.name}", "shows no sign of life", remedy)


def leader() -> Iterator[Finding]:
    lease = Lease.objects.using(settings.DATABASE).filter(name="scheduler").first()
    if lease is None or lease.until < clock.now():
        remedy = "Run a runjobs without --no-scheduler: without one nothing delayed starts and nothing is repaired."
        yield Finding("error", "Scheduler", "nobody leads", remedy)
    else:
        yield Finding("ok", "Scheduler", f"{lease.holder} leads")


def waiting() -> Iterator[Finding]:
    for queue, facts in monitoring.queue_waits().items():
        oldest = facts["oldest"]
        waited = clock.now() - oldest if oldest else timedelta(0)
        if facts["paused"]:
            remedy = f"`jobs queues resume {queue}` lets its jobs run again."
            yield Finding("warning", f"Queue {queue}", f"is paused, {facts['waiting']} job(s) wait", remedy)
        elif not facts["servers"] and oldest:
            remedy = f"Start runjobs with --queues {queue} or without --queues, or `jobs servers resume all`."
            yield Finding("error", f"Queue {queue}", f"{facts['waiting']} job(s) wait, no server takes it", remedy)
        elif waited > LONG_WAIT:
            remedy = "Add workers (--processes), give urgent jobs a queue of their own, or make the jobs shorter."
            told = f"{facts['waiting']} job(s) wait, the oldest for {str(waited).split('.')[0]}"
            yield Finding("warning", f"Queue {queue}", told, remedy)
        else:
            yield Finding(
                "ok", f"Queue {queue}", f"{facts['waiting']} job(s) wait, {facts['servers']} server(s) take it"
            )


def unknown_types() -> Iterator[Finding]:
    published = monitoring.published_types()
    enqueued = monitoring.jobs().filter(state=states.ENQUEUED).exclude(job_type__in=published)
    for name in sorted(set(enqueued.order_by().values_list("job_type", flat=True)[:1000])) if published else ():
        remedy = "Deploy the code that registers it (or give the renamed type this alias), or delete the jobs."
        yield Finding("error", f"Job type {name}", "is waited for, but no live server knows it", remedy)


def stuck() -> Iterator[Finding]:
    before = clock.now() - timedelta(seconds=2 * settings.SERVER_TIMEOUT)
    due = monitoring.jobs().filter(state=states.SCHEDULED, scheduled_at__lt=before)
    if due.exists():
        remedy = "See the finding on the scheduler; `jobs list --state scheduled` shows them."
        yield Finding("error", "Delayed jobs", f"{monitoring.capped_count(due)} are overdue", remedy)
    known = Server.objects.using(settings.DATABASE).filter(monitoring.alive()).values_list("name", flat=True)
    held = monitoring.jobs().filter(state=states.PROCESSING, state_at__lt=before).exclude(worker__in=list(known))
    if held.exists():
        remedy = "The leader puts them back; if it does not, no scheduler runs."
        yield Finding(
            "error", "Running jobs", f"{monitoring.capped_count(held)} belong to workers that are gone", remedy
        )


def failures() -> Iterator[Finding]:
    failed, total = monitoring.failing_runs(1)
    if failed * 5 > total:
        remedy = "`jobs list --state failed` (or scheduled, for those to be tried again) and `jobs show ID` tell why."
        told = f"{failed} of {total} runs failed in the last two hours{_commonest_reason()}"
        yield Finding("warning", "Failures", told, remedy)
    elif total:
        yield Finding("ok", "Failures", f"{failed} of {total} runs in the last two hours")


def _commonest_reason() -> str:
    failing = Q(state=states.FAILED) | Q(state=states.SCHEDULED, failures__gt=0)
    newest = monitoring.jobs().filter(failing).order_by("-id").values_list("state_reason", flat=True)[:200]
    reasons = list(newest)
    return f", most often with: {max(set(reasons), key=reasons.count)}" if reasons else ""


def retries() -> Iterator[Finding]:
    policy = retry_from(settings.RETRY)
    without = [job_type.name for job_type in registry if job_type.retry is not None and not job_type.retry.attempts]
    if policy.attempts:
        told = f"a failed job is tried again up to {policy.attempts} times"
        yield Finding("ok", "Retries", told + (f", except {', '.join(without)}" if without else ""))
    else:
        remedy = "That may be meant. Otherwise set DJANGO_JOBS['RETRY'], or give each type @job(retry=Retry(…))."
        yield Finding("ok", "Retries", "a failed job is not tried again, unless its type says so", remedy)


def clocks() -> Iterator[Finding]:
    there = monitoring.database_time()
    if there is None:
        return
    drift = abs((there - clock.now()).total_seconds())
    if drift > CLOCK_DRIFT:
        remedy = "Run NTP on both hosts. Servers follow the database's clock; jobs enqueued here carry this host's."
        yield Finding("warning", "Clock", f"this host's and the database's differ by {drift:.1f} s", remedy)
    else:
        yield Finding("ok", "Clock", f"agrees with the database's within {max(drift, 0.1):.1f} s")


def dashboard() -> Iterator[Finding]:
    if "django.contrib.admin" not in django_settings.INSTALLED_APPS:
        yield Finding("warning", "Dashboard", "django.contrib.admin is not installed", "Add it to INSTALLED_APPS.")
        return
    try:
        path = reverse("admin:django_jobs_job_changelist")
    except NoReverseMatch:
        yield Finding("warning", "Dashboard", "has no address", "Add path('admin/', admin.site.urls) to the URLconf.")
        return
    if not _somebody_may_look():
        remedy = "Make a superuser, or give a staff user the permission django_jobs.view_job."
        yield Finding("warning", "Dashboard", f"is at {path}, but no user may see it", remedy)
    else:
        yield Finding("ok", "Dashboard", f"is at {path}")


def _somebody_may_look() -> bool:
    users: Any = get_user_model()
    granted = Q(user_permissions__codename="view_job") | Q(groups__permissions__codename="view_job")
    staff = users._default_manager.filter(is_active=True, is_staff=True)
    return bool(staff.filter(Q(is_superuser=True) | granted).exists())


LOOKS: tuple[Look, ...] = (
    configuration,
    redis,
    servers,
    leader,
    waiting,
    unknown_types,
    stuck,
    failures,
    retries,
    clocks,
    dashboard,
)
