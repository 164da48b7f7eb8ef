"""The settings: one dictionary, `DJANGO_JOBS`, read when asked for and never at import."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from .backoff import Retry

DEFAULTS: dict[str, Any] = {
    # The project's name: the package that holds its settings. Servers of one application share the bells of its types.
    "APPLICATION": None,
    # Alias of the database that holds the tables; any other than "default" needs django_jobs.routers.JobsRouter.
    "DATABASE": "default",
    # Queues that a server takes, in strict order, or by weight as in {"critical": 4, "default": 1} or
    # ["critical:4", "default:1"]; None means all of RQ_QUEUES in the order written there.
    "QUEUES": None,
    # Limits of queues over all servers, as in {"mail": {"max_concurrency": 5, "rate_limit": "100/m"}}. What the admin
    # or `jobs queues limit` says of a queue comes before them.
    "QUEUE_LIMITS": {},
    # Worker processes of a server: "auto" is the CPU count, a number, or "5x" for five times the CPU count.
    "PROCESSES": "auto",
    # Jobs that each worker process runs at a time, in threads; more than 1 pays where jobs wait for others.
    "THREADS": 1,
    # Name of the server; None means the host's name and the process id.
    "SERVER_NAME": None,
    # Seconds between two looks for delayed jobs that came due.
    "POLL_INTERVAL": 1.0,
    # Seconds between two signs of life of a server.
    "HEARTBEAT_INTERVAL": 5.0,
    # Seconds without a sign of life after which a server counts as dead.
    "SERVER_TIMEOUT": 30.0,
    # Seconds between two searches for enqueued jobs whose bell was lost.
    "SWEEP_INTERVAL": 15.0,
    # Seconds between two rounds that delete expired jobs.
    "CLEANUP_INTERVAL": 60.0,
    # Seconds between two foldings of the counters.
    "COUNTER_INTERVAL": 60.0,
    # Seconds between two additions of the history to the metrics by type and queue; 0 adds nothing up.
    "METRICS_INTERVAL": 15.0,
    # What a request for the metrics shows as "Authorization: Bearer …"; without it, users with view_job alone see them.
    "METRICS_TOKEN": None,
    # Seconds without renewal after which another server may lead.
    "LEADER_TIMEOUT": 15.0,
    # Seconds that a finished job may wait for its acknowledgement: the window in which a crash repeats it.
    "ACK_WINDOW": 0.05,
    # Most jobs that a worker claims in one statement.
    "BATCH": 128,
    # Seconds that running jobs are given to end after SIGTERM.
    "GRACE": 30.0,
    # Seconds after which a recurring job's run counts as missed, where missed runs are skipped.
    "MISFIRE_GRACE": 60.0,
    # Most missed runs of a recurring job that are made up one by one; older ones are dropped.
    "MISFIRE_LIMIT": 100,
    # What a failed job does, where its type does not say: a Retry, a dictionary of its arguments, or None for none.
    "RETRY": Retry(),
    # Filters of every job type: dotted paths of subclasses of django_jobs.Filter, in order.
    "FILTERS": [],
    # What stands around each run, as Django's middleware does around a request: dotted paths of callables
    # factory(run) -> callable(ctx) -> result, outermost first.
    "MIDDLEWARE": [],
    # Plug-ins to load of those that installed packages announce, by name; None means all of them, [] none.
    "PLUGINS": None,
    # Folders whose Python files and packages are plug-ins.
    "PLUGIN_PATHS": [],
    # The plug-ins' own configurations, by the plug-in's name.
    "PLUGIN_CONFIG": {},
    # What the host shares with all plug-ins, such as the addresses of brokers.
    "SHARED_CONFIG": {},
    # Who is told of troubles besides the signals: {"mail": [addresses], "webhook": URL, "secret": key that signs it,
    # "allow_private": [hosts of webhooks that may have a private address], "queue": that of the jobs that tell}.
    "ALERTS": {},
    # How long ended jobs are kept, by state, and "batch", "console" and "history" (all states of a job but its newest);
    # None keeps them as long as their jobs, and these for ever.
    "RETENTION": {},
    # Most lines that the console of a job keeps, the newest ones; 0 keeps none.
    "CONSOLE_LIMIT": 2000,
    # Level from which records of Python's logging made in a job come into its console; None for no records.
    "CONSOLE_LEVEL": "INFO",
    # Where `jobs consume` takes events from: the arguments of the source, such as {"url": "amqp://…", "queue": "jobs"};
    # "source" is the dotted path of a class other than RabbitMQ's.
    "BROKER": {},
    # How the dashboard's pages follow what happens: "auto" is "stream" under ASGI and "poll" elsewhere; "off".
    "LIVE_UPDATES": "auto",
    # Title of the dashboard's first page; None means "Background jobs".
    "DASHBOARD_TITLE": None,
    # Which installation this is, on every page of the dashboard: a label such as "Production", with a colour
    # (red, orange, green, blue or gray) as in "Production:red"; None shows none.
    "ENVIRONMENT": None,
    # Seconds between two looks of a page at its numbers.
    "STATS_INTERVAL": 2.0,
    # Asked besides permissions whether a request may reach dashboard, REST API and metrics: a callable that is given
    # the request, or its dotted path.
    "AUTHORIZE": None,
    # Names of the management commands that a job of the type django_jobs.command may run, as those that were imported
    # from a crontab. That type is there only where this names any.
    "COMMANDS": [],
    # Largest size of a call's arguments as JSON, in bytes.
    "MAX_PAYLOAD": 256 * 1024,
    # What nobody is shown in dashboard and API, whatever he may see: values under names that contain one of these
    # words, and texts that quote them. Upper case and signs between the letters do not matter.
    "SENSITIVE": ["password", "passwd", "passphrase", "secret", "token", "authorization", "api_key", "private_key"],
    # Seconds that the database may work on a search of jobs, in the admin and the REST API.
    "SEARCH_TIMEOUT": 2.0,
}

MOST_THREADS = 1000
LIVE_UPDATES = ("auto", "stream", "poll", "off")
COLOURS = ("red", "orange", "green", "blue", "gray")

DEFAULT_RETENTION: dict[str, timedelta | None] = {
    "succeeded": timedelta(days=1),
    "deleted": timedelta(days=1),
    "failed": timedelta(days=30),
    "batch": timedelta(days=7),
    "console": None,
    "history": None,
}

NOT_FROM_ENVIRONMENT = {"RETENTION", "DATABASE", "RETRY", "FILTERS", "MIDDLEWARE", "QUEUE_LIMITS"}
NOT_FROM_ENVIRONMENT |= {"PLUGIN_CONFIG", "SHARED_CONFIG", "BROKER", "COMMANDS", "SENSITIVE"}
NOT_FROM_ENVIRONMENT |= {"ALERTS", "AUTHORIZE"}
FROM_ENVIRONMENT = set(DEFAULTS) - NOT_FROM_ENVIRONMENT
"""Settings that an environment variable ``DJANGO_JOBS_<KEY>`` overrides."""


LISTS = {"QUEUES", "PLUGINS", "PLUGIN_PATHS"}
"""Of these the ones that are lists: with commas, there."""


class Settings:
    """`DJANGO_JOBS` with its defaults: ``conf.settings.BATCH``. Unknown keys are reported by the system check E001."""

    def __init__(self) -> None:
        self._cache: dict[str, Any] = {}

    @property
    def given(self) -> Mapping[str, Any]:
        given = getattr(django_settings, "DJANGO_JOBS", None) or {}
        if not isinstance(given, Mapping):
            raise ImproperlyConfigured(f"DJANGO_JOBS is a {type(given).__name__}; it must be a dictionary")
        return given

    def __getattr__(self, name: str) -> Any:
        if name not in DEFAULTS:
            raise AttributeError(f"DJANGO_JOBS has no setting {name!r}")
        if name not in self._cache:
            self._cache[name] = self._read(name)
        return self._cache[name]

    def _read(self, name: str) -> Any:
        value = self.given.get(name, DEFAULTS[name])
        if name in FROM_ENVIRONMENT and (text := os.environ.get(f"DJANGO_JOBS_{name}")):
            value = _parsed(name, text)
        _refuse(name, value)
        if name == "APPLICATION" and value is None:
            return str(getattr(django_settings, "SETTINGS_MODULE", "") or "django").split(".")[0]
        if name == "RETENTION":
            return {**DEFAULT_RETENTION, **value}
        return _queues(value) if name == "QUEUES" else value

    def override(self, **values: Any) -> None:
        """Let options of the command line win over settings and environment, for this process."""
        self._cache.update(values)

    def forget(self) -> None:
        self._cache.clear()


settings = Settings()


def _refuse(name: str, value: Any) -> None:
    """Name the setting whose value is of another kind; whoever reads it would trip over it without saying which."""
    number = isinstance(DEFAULTS[name], int | float) and name != "THREADS"
    if number and not isinstance(value, int | float):
        raise ImproperlyConfigured(f"DJANGO_JOBS[{name!r}] is {value!r}; it must be a number")
    if name == "RETENTION" and not isinstance(value, Mapping):
        raise ImproperlyConfigured(f"DJANGO_JOBS['RETENTION'] is {value!r}; it must be a dictionary")


def _queues(value: Any) -> Any:
    """The list that another way to write it stands for: weights by name, a text with commas, or None."""
    if value is None:
        return list(getattr(django_settings, "RQ_QUEUES", None) or {})
    if isinstance(value, Mapping):
        return [f"{name}:{weight}" for name, weight in value.items()]
    return _parsed("QUEUES", value) if isinstance(value, str) else value


def _parsed(name: str, text: str) -> Any:
    kind = type(DEFAULTS[name])
    if name in LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind not in (int, float):
        return text
    try:
        return kind(text)
    except ValueError:
        message = f"The environment variable DJANGO_JOBS_{name} is {text!r}; it must be a number"
        raise ImproperlyConfigured(message) from None


def process_count(value: str | int) -> int:
    """Number of worker processes that "auto", "5x" or a number stands for on this machine.

    Raises ValueError where it is none of them.
    """
    cpus = os.cpu_count() or 1
    text = str(value).strip().lower()
    if text == "auto":
        return cpus
    try:
        count = cpus * int(text[:-1]) if text.endswith("x") else int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise ValueError(
            f'{value!r} is no process count: give "auto", a number, or a multiple of the CPUs such as "5x"'
        )
    return count


def thread_count(value: str | int) -> int:
    """Number of jobs that a worker process runs at a time. Raises ValueError where it is none."""
    text = str(value).strip()
    if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
        raise ValueError(f"{value!r} is no thread count: give a number from 1 to {MOST_THREADS}")
    return int(text)


def environment(value: str | None) -> tuple[str, str]:
    """Label and colour of ENVIRONMENT; both empty without one. Raises ValueError where it is no such text."""
    if value is None or value == "":
        return "", ""
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is no label: give a text such as "Production:red"')
    label, sign, colour = value.rpartition(":")
    if not sign:
        return value, "gray"
    if colour not in COLOURS or not label:
        raise ValueError(f'{value!r} has no colour that is known: give "label:colour", with {", ".join(COLOURS)}')
    return label, colour


def _reload(*, setting: str, **kwargs: Any) -> None:
    if setting in {"DJANGO_JOBS", "RQ_QUEUES", "RQ"}:
        settings.forget()


setting_changed.connect(_reload, dispatch_uid="django_jobs.conf")
