"""Looks at what the site gives: its database, settings, Redis, clock and admin."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.urls import NoReverseMatch, reverse

from .. import clock, monitoring, plugins, queues
from ..backoff import retry_from
from ..conf import settings
from ..registry import registry
from .finding import Finding, Level

SLOW_DATABASE = 0.02
CLOCK_DRIFT = 2.0


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
    ours = [message for message in run_checks() if str(message.id).startswith("django_jobs.")]
    messages = [message for message in ours if message.id != "django_jobs.W003"]
    for message in messages:
        level: Level = "error" if message.is_serious() else "warning"
        yield Finding(level, f"Settings ({message.id})", message.msg, message.hint or "")
    if not messages:
        yield Finding("ok", "Settings", "pass the system checks")


def plugged_in() -> Iterator[Finding]:
    """Plug-ins as this process has found them; on a host with other packages there may be others."""
    for problem in plugins.host.problems:
        yield Finding("error", problem.subject, problem.what, problem.remedy)
    if names := sorted(plugins.host.plugins):
        yield Finding("ok", "Plug-ins", f"{len(names)} in use: {', '.join(names)}")


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
