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
    # Queues that a server takes, in strict order, or by weight as in ["critical:4", "default:1"]; None means all of
    # RQ_QUEUES in the order written there.
    "QUEUES": None,
    # Worker processes of a server: "auto" is the CPU count, a number, or "5x" for five times the CPU count.
    "PROCESSES": "auto",
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
    # Seconds without renewal after which another server may lead.
    "LEADER_TIMEOUT": 15.0,
    # Seconds that a finished job may wait for its acknowledgement: the window in which a crash repeats it.
    "ACK_WINDOW": 0.05,
    # Most jobs that a worker claims in one statement.
    "BATCH": 128,
    # Seconds that running jobs are given to end after SIGTERM.
    "GRACE": 30.0,
    # What a failed job does, where its type does not say: a Retry, a dictionary of its arguments, or None for none.
    "RETRY": Retry(),
    # How long ended jobs are kept, by state; None keeps them for ever.
    "RETENTION": {},
    # Largest size of a call's arguments as JSON, in bytes.
    "MAX_PAYLOAD": 256 * 1024,
}

DEFAULT_RETENTION: dict[str, timedelta | None] = {
    "succeeded": timedelta(days=1),
    "deleted": timedelta(days=1),
    "failed": timedelta(days=30),
}

FROM_ENVIRONMENT = set(DEFAULTS) - {"RETENTION", "DATABASE", "RETRY"}
"""Settings that an environment variable ``DJANGO_JOBS_<KEY>`` overrides."""


class Settings:
    """`DJANGO_JOBS` with its defaults: ``conf.settings.BATCH``. Unknown keys are reported by the system check E001."""

    def __init__(self) -> None:
        self._cache: dict[str, Any] = {}

    @property
    def given(self) -> Mapping[str, Any]:
        return getattr(django_settings, "DJANGO_JOBS", None) or {}

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
        if name == "APPLICATION" and value is None:
            return str(getattr(django_settings, "SETTINGS_MODULE", "") or "django").split(".")[0]
        if name == "RETENTION":
            return {**DEFAULT_RETENTION, **value}
        if name == "QUEUES" and value is None:
            return list(getattr(django_settings, "RQ_QUEUES", None) or {})
        return value

    def override(self, **values: Any) -> None:
        """Let options of the command line win over settings and environment, for this process."""
        self._cache.update(values)

    def forget(self) -> None:
        self._cache.clear()


settings = Settings()


def _parsed(name: str, text: str) -> Any:
    kind = type(DEFAULTS[name])
    if name == "QUEUES":
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


def _reload(*, setting: str, **kwargs: Any) -> None:
    if setting in {"DJANGO_JOBS", "RQ_QUEUES", "RQ"}:
        settings.forget()


setting_changed.connect(_reload, dispatch_uid="django_jobs.conf")
