"""Which management commands may run as jobs. Apart from the job type, which only sites that name some have."""

from __future__ import annotations

from ..conf import settings

JOB_TYPE = "django_jobs.command"


def allowed(name: str) -> bool:
    """Whether ``DJANGO_JOBS["COMMANDS"]`` names it."""
    return isinstance(settings.COMMANDS, list | tuple) and name in settings.COMMANDS
