"""System checks: mistakes in the settings are told at start, with what to write instead."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from logging import getLevelNamesMapping
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.functional import Promise
from django.utils.module_loading import import_string

from . import middleware, plugins, queues, states
from .backoff import retry_from
from .conf import DEFAULTS, LIVE_UPDATES, environment, process_count, settings, thread_count
from .rates import rates_from
from .registry import registry
from .states import filters

ROUTER = "django_jobs.routers.JobsRouter"
QUEUE_CLASS = "django_jobs.queues.JobQueue"
KEPT = {"batch", "console", "history"}
"""What RETENTION names besides states."""
COUNTS = {"PROCESSES": process_count, "THREADS": thread_count}
ABOVE_0 = {"POLL_INTERVAL", "HEARTBEAT_INTERVAL", "SERVER_TIMEOUT", "SWEEP_INTERVAL", "CLEANUP_INTERVAL"}
ABOVE_0 |= {"COUNTER_INTERVAL", "LEADER_TIMEOUT", "BATCH"}
TEXTS = ("APPLICATION", "SERVER_NAME", "DASHBOARD_TITLE")


def register_all() -> None:
    register(check_settings, Tags.compatibility)
    register(check_filters, Tags.compatibility)
    register(check_queues, Tags.compatibility)
    register(check_database, Tags.compatibility)
    register(check_neighbours, Tags.compatibility)
    register(check_plugins, Tags.compatibility)


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
        if key in COUNTS:
            yield from _wrong_count(key)
        elif isinstance(default, int | float):
            yield from _wrong_number(key, settings.given.get(key, default), whole=isinstance(default, int))
    yield from _wrong_retention()
    try:
        retry_from(settings.RETRY)
    except (TypeError, ValueError) as error:
        yield _wrong("RETRY", settings.RETRY, f"a Retry, a dictionary of its arguments, or None ({error})")
    if settings.CONSOLE_LEVEL is not None and settings.CONSOLE_LEVEL not in (names := getLevelNamesMapping()):
        yield _wrong("CONSOLE_LEVEL", settings.CONSOLE_LEVEL, f"None, or one of {', '.join(names)}")
    yield from _wrong_limits()
    if not isinstance(settings.COMMANDS, list | tuple) or not all(isinstance(name, str) for name in settings.COMMANDS):
        yield _wrong("COMMANDS", settings.COMMANDS, 'a list of names of management commands, such as ["clearsessions"]')
    if not isinstance(settings.BROKER, dict):
        yield _wrong("BROKER", settings.BROKER, "a dictionary of the source's arguments")
    yield from _wrong_plugins()
    yield from _wrong_dashboard()
    yield from _wrong_alerts()


def _wrong_number(key: str, value: Any, *, whole: bool) -> Iterator[CheckMessage]:
    fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if not fits or value < 0 or (value == 0 and key in ABOVE_0):
        number = "a whole number" if whole else "a number"
        yield _wrong(key, value, f"{number} {'above' if key in ABOVE_0 else 'of at least'} 0")


def _wrong_retention() -> Iterator[CheckMessage]:
    given = settings.given.get("RETENTION", {})
    expected = f"for {', '.join([*sorted(states.ENDED), *sorted(KEPT)])}"
    if not isinstance(given, Mapping):
        yield _wrong("RETENTION", given, f"a dictionary with a timedelta (or None, for ever) {expected}")
        return
    for state, keep in given.items():
        if state not in states.ENDED | KEPT or not isinstance(keep, timedelta | None):
            yield _wrong("RETENTION", {state: keep}, f"a timedelta (or None, for ever) {expected}")


def _wrong_dashboard() -> Iterator[CheckMessage]:
    if settings.LIVE_UPDATES not in LIVE_UPDATES:
        yield _wrong("LIVE_UPDATES", settings.LIVE_UPDATES, f"one of {', '.join(map(repr, LIVE_UPDATES))}")
    try:
        environment(settings.ENVIRONMENT)
    except ValueError as error:
        yield _wrong("ENVIRONMENT", settings.ENVIRONMENT, f'a label with a colour, as in "Production:red" ({error})')
    yield from _wrong_authorize()
    for key in TEXTS:
        if not isinstance(getattr(settings, key), str | Promise | None):
            yield _wrong(key, getattr(settings, key), "a text, or None")
    words = settings.SENSITIVE
    if not isinstance(words, list | tuple | set | frozenset) or not all(
        isinstance(word, str) and any(map(str.isalnum, word)) for word in words
    ):
        yield _wrong("SENSITIVE", words, 'a list of words, as in ["password", "iban"]')


def _wrong_authorize() -> Iterator[CheckMessage]:
    given = settings.AUTHORIZE
    try:
        asked = import_string(given) if isinstance(given, str) else given
    except ImportError as error:
        yield _wrong("AUTHORIZE", given, f"a callable that is given a request, or its dotted path ({error})")
        return
    if asked is not None and not callable(asked):
        yield _wrong("AUTHORIZE", given, "a callable that is given a request, or its dotted path")


def _wrong_count(key: str) -> Iterator[CheckMessage]:
    value = getattr(settings, key)
    try:
        COUNTS[key](value)
    except ValueError as error:
        yield Error(f"DJANGO_JOBS[{key!r}] cannot be used.", hint=f"{error}.", id="django_jobs.E002")


def _wrong_limits() -> Iterator[CheckMessage]:
    expected = 'queues of RQ_QUEUES with their limits, as in {"mail": {"max_concurrency": 5, "rate_limit": "100/m"}}'
    given = settings.QUEUE_LIMITS
    if not isinstance(given, dict):
        yield _wrong("QUEUE_LIMITS", given, expected)
        return
    for name, limits in given.items():
        if name not in queues.names() or not isinstance(limits, dict):
            yield _wrong("QUEUE_LIMITS", {name: limits}, expected)
            continue
        number, rest = limits.get("max_concurrency"), set(limits) - {"max_concurrency", "rate_limit"}
        if rest or (number is not None and (type(number) is not int or number < 1)):
            yield _wrong("QUEUE_LIMITS", {name: limits}, expected)
        try:
            rates_from(limits.get("rate_limit"))
        except ValueError as error:
            yield _wrong("QUEUE_LIMITS", {name: limits}, f"{expected} ({error})")


def _wrong_plugins() -> Iterator[CheckMessage]:
    """Without their values, which may be secrets."""
    for key in ("PLUGIN_CONFIG", "SHARED_CONFIG"):
        if not isinstance(getattr(settings, key), dict):
            message = f"DJANGO_JOBS[{key!r}] is a {type(getattr(settings, key)).__name__}."
            yield Error(message, hint="It must be a dictionary.", id="django_jobs.E002")
    for key in ("PLUGINS", "PLUGIN_PATHS"):
        value = getattr(settings, key)
        of = (str,) if key == "PLUGINS" else (str, os.PathLike)
        if value != DEFAULTS[key] and not (isinstance(value, list) and all(isinstance(item, of) for item in value)):
            yield _wrong(key, value, "a list of " + ("names" if key == "PLUGINS" else "folders"))


def _wrong_alerts() -> Iterator[CheckMessage]:
    """Without their values, of which one is a secret."""
    given = settings.ALERTS
    lists, texts = {"mail", "allow_private"}, {"webhook", "secret", "queue"}
    known = isinstance(given, dict) and set(given) <= lists | texts
    kinds = known and all(isinstance(value, str if key in texts else list | tuple) for key, value in given.items())
    if not kinds or bool(given.get("webhook")) > bool(given.get("secret")):
        hint = (
            "It must be a dictionary with the lists mail and allow_private, and the texts webhook, secret and queue; "
        )
        hint += "a webhook needs a secret."
        yield Error("DJANGO_JOBS['ALERTS'] is wrong.", hint=hint, id="django_jobs.E002")
    elif given.get("queue") and given["queue"] not in queues.names():
        yield _wrong("ALERTS", {"queue": given["queue"]}, f"of the queues {', '.join(queues.names())}")


def _wrong(key: str, value: Any, expected: str) -> CheckMessage:
    return Error(f"DJANGO_JOBS[{key!r}] is {value!r}.", hint=f"It must be {expected}.", id="django_jobs.E002")


def check_filters(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every filter and middleware that is named can be imported and made."""
    of_types = [(f"@job({kind.name!r}, filters=…)", kind.filters, filters.problem) for kind in registry]
    named = [
        ("DJANGO_JOBS['FILTERS']", settings.FILTERS, filters.problem),
        ("DJANGO_JOBS['MIDDLEWARE']", settings.MIDDLEWARE, middleware.problem),
        *of_types,
    ]
    return [found for where, entries, problem in named for found in _unusable(where, entries, problem)]


def _unusable(where: str, entries: Any, problem: Callable[[Any], str]) -> Iterator[CheckMessage]:
    if not isinstance(entries, list | tuple):
        yield Error(f"{where} is {entries!r}.", hint="It must be a list of dotted paths.", id="django_jobs.E008")
        return
    for entry in entries:
        if why := problem(entry):
            yield Error(f"{where} names {entry!r}, which cannot be used.", hint=why, id="django_jobs.E008")


def check_plugins(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Plug-ins that cannot be used. Warnings, since an error would stop the others, too."""
    found = plugins.host.problems
    return [Warning(f"{one.subject} {one.what}.", hint=one.remedy, id="django_jobs.W003") for one in found]


def check_queues(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Queues: at least one, and those to serve among them."""
    names = queues.names()
    if not names:
        hint = 'For example: RQ_QUEUES = {"default": {"URL": "redis://localhost:6379/0"}}'
        return [Error("The setting RQ_QUEUES names no queue.", hint=hint, id="django_jobs.E003")]
    if not isinstance(settings.QUEUES, list | tuple) or not settings.QUEUES:
        return [_wrong("QUEUES", settings.QUEUES, 'a list of queues, as in ["critical", "default"]')]
    strange = [
        Error(
            f"DJANGO_JOBS['QUEUES'] names {name!r}.", hint=f"RQ_QUEUES has {', '.join(names)}.", id="django_jobs.E004"
        )
        for name in (str(entry).partition(":")[0] for entry in settings.QUEUES)
        if name not in names
    ]
    return strange + [message for name in names for message in _no_connection(name)]


def _no_connection(name: str) -> Iterator[CheckMessage]:
    """Without what stands there, which may hold a password."""
    if why := queues.problem(name):
        hint = 'Give it "URL", or "HOST", "PORT" and "DB", as for django-rq.'
        yield Warning(f"RQ_QUEUES[{name!r}] makes no connection ({why}).", hint=hint, id="django_jobs.W004")


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
