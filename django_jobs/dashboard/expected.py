"""What is to be expected of a job or a batch, in words; empty where nobody can tell."""

from __future__ import annotations

from datetime import timedelta

from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from .. import estimates, monitoring, states
from ..models import Batch, Job
from .display import span


class Expected:
    """Of one job."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @property
    def lasts(self) -> str:
        """How long a run of its type takes."""
        return _range(self._lasts, _("%(likely)s (%(low)s to %(high)s)"))

    @property
    def starts(self) -> str:
        """When it will start, of a job that waits in its queue."""
        return _about(self._begins)

    @property
    def ends(self) -> str:
        """When the run that goes on, or comes next, will end."""
        if self.job.state == states.PROCESSING:
            return _about(estimates.end(self.job))
        return _about(self._begins + self._lasts) if self._begins and self._lasts else ""

    @cached_property
    def _lasts(self) -> estimates.Span | None:
        return estimates.duration(self.job.job_type)

    @cached_property
    def _begins(self) -> estimates.Span | None:
        if self.job.state != states.ENQUEUED:
            return None
        with monitoring.snapshot():
            return estimates.start(self.job)


def batch_ends(batch: Batch) -> str:
    """When the last member of a batch that goes on will have ended."""
    if batch.state != Batch.State.STARTED:
        return ""
    with monitoring.snapshot():
        return _about(estimates.batch_end(batch))


def _about(found: estimates.Span | None) -> str:
    """As in "in 5 min (3 min to 8 min)"."""
    return _range(found, _("in %(likely)s (%(low)s to %(high)s)"))


def _range(found: estimates.Span | None, form: str) -> str:
    if found is None:
        return ""
    low, likely, high = (span(timedelta(seconds=part)) for part in (found.low, found.likely, found.high))
    return form % {"likely": likely, "low": low, "high": high}
