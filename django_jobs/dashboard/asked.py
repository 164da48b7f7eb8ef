"""What was asked of a job that runs and has not answered yet, in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from .. import monitoring, states
from ..models import Job

WORDS: dict[monitoring.Pending, Any] = {
    monitoring.Pending.PAUSE: _("Pausing… it stops at its next checkpoint"),
    monitoring.Pending.DEAF_TO_PAUSE: _(
        "Pausing… it has made no checkpoint in this run. If it never makes one, it does not pause and ends by itself"
    ),
    monitoring.Pending.CANCEL: _("Its function still runs on worker %(worker)s, and has not answered yet"),
    monitoring.Pending.KILL: _("Its worker %(worker)s is being ended"),
}


def told(job: Job) -> str:
    """The note on its page; empty where nothing is open."""
    pending = monitoring.pending(job)
    return str(WORDS[pending]) % {"worker": job.worker} if pending else ""


def offered(job: Job) -> list[str]:
    """Names of the deeds that make sense now."""
    names = states.offered(job.state, job.asked)
    runs_on = monitoring.pending(job) == monitoring.Pending.CANCEL
    return [*names, "force"] if job.state == states.PROCESSING or runs_on else names
