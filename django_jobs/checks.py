"""System checks: mistakes in the settings are told at start, with what to write instead."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string

from . import queues, states
from .backoff import retry_from
from .conf import DEFAULTS, process_count, settings

ROUTER = "django_jobs.routers.JobsRouter"
QUEUE_CLASS = "django_jobs.queues.JobQueue"


def register_all() -> None:
    register(check_settings, Tags.compatibility)
    register(check_queues, Tags.compatibility)
    register(check_database, Tags.compatibility)
    register(check_neighbours, Tags.compatibility)


def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Keys and values of ``DJANGO_JOBS``."""
    return [*_unknown_keys(), *_wrong_values()]


def _unknown_keys() -> Iterator[CheckMessage]:
    for key in settings.given:
        if key not in DEFAULTS:
            close = get_close_matches(str(key).upper(), DEFAULTS, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Known keys: {', '.join(DEFAULTS)}."
            yield Error(f"DJANGO_JOBS has no setting {key!r}.", hint=hint, id="django_jobs.E001")


def _wrong_values() -> Iterator[CheckMessage]:
    for key, default in DEFAULTS.items():
        value = settings.given.get(key, default)
        if isinstance(default, int | float) and (
            isinstance(value, bool) or not isinstance(value, int | float) or value < 0
        ):
            yield _wrong(key, value, "a number of at least 0")
    for state, keep in settings.RETENTION.items():
        if state not in states.ENDED or not isinstance(keep, timedelta | None):
            ended = ", ".join(sorted(states.ENDED))
            yield _wrong("RETENTION", {state: keep}, f"a timedelta (or None, for ever) for {ended}")
    try:
        retry_from(settings.RETRY)
    except (TypeError, ValueError) as error:
        yield _wrong("RETRY", settings.RETRY, f"a Retry, a dictionary of its arguments, or None ({error})")
    try:
        process_count(settings.PROCESSES)
    except ValueError as error:
        yield _wrong("PROCESSES", settings.PROCESSES, str(error))


def _wrong(key: str, value: Any, expected: str) -> CheckMessage:
    return Error(f"DJANGO_JOBS[{key!r}] is {value!r}.", hint=f"It must be {expected}.", id="django_jobs.E002")


def check_queues(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Queues: at least one, and those to serve among them."""
    names = queues.names()
    if not names:
        hint = 'For example: RQ_QUEUES = {"default": {"URL": "redis://localhost:6379/0"}}'
        return [Error("The setting RQ_QUEUES names no queue.", hint=hint, id="django_jobs.E003")]
    return [
        Error(
            f"DJANGO_JOBS['QUEUES'] names {name!r}.", hint=f"RQ_QUEUES has {', '.join(names)}.", id="django_jobs.E004"
        )
        for name in (str(entry).partition(":")[0] for entry in settings.QUEUES)
        if name not in names
    ]


def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Where the tables are, and that times are aware."""
    found: list[CheckMessage] = []
    if settings.DATABASE not in django_settings.DATABASES:
        hint = f"DATABASES has {', '.join(django_settings.DATABASES)}."
        found.append(Error(f"DJANGO_JOBS['DATABASE'] is {settings.DATABASE!r}.", hint=hint, id="django_jobs.E005"))
    elif settings.DATABASE != "default" and not _routed():
        hint = f'Add "{ROUTER}" to DATABASE_ROUTERS.'
        message = f"The job tables are to be in the database {settings.DATABASE!r}, but no router sends them there."
        found.append(Error(message, hint=hint, id="django_jobs.E006"))
    if not django_settings.USE_TZ:
        found.append(Error("django_jobs needs aware times.", hint="Set USE_TZ = True.", id="django_jobs.E007"))
    return found


def _routed() -> bool:
    from_text = (
        import_string(entry) if isinstance(entry, str) else entry for entry in django_settings.DATABASE_ROUTERS
    )
    router = import_string(ROUTER)
    return any(entry is router or isinstance(entry, router) for entry in from_text)


def check_neighbours(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Apps beside us that would swallow bells, or hide our command."""
    found: list[CheckMessage] = []
    apps = list(django_settings.INSTALLED_APPS)
    if any(app.split(".")[0] == "django_rq" for app in apps) and not _bells_are_safe():
        message = "The pages of django-rq would remove jobs of django_jobs from the queues that they list."
        found.append(Warning(message, hint=f'Set RQ = {{"QUEUE_CLASS": "{QUEUE_CLASS}"}}.', id="django_jobs.W001"))
    ours = next((at for at, app in enumerate(apps) if app.split(".")[0] == "django_jobs"), len(apps))
    if any(app.split(".")[0] == "django_extensions" for app in apps[:ours]):
        message = "django_extensions comes before django_jobs and hides its command runjobs."
        found.append(Warning(message, hint='Put "django_jobs" first in INSTALLED_APPS.', id="django_jobs.W002"))
    return found


def _bells_are_safe() -> bool:
    path = (getattr(django_settings, "RQ", None) or {}).get("QUEUE_CLASS")
    given = import_string(path) if isinstance(path, str) else path
    return isinstance(given, type) and issubclass(given, queues.JobQueue)
