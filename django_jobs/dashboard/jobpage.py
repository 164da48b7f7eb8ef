"""What the page of one job shows: its call, facts, timeline and outcome. Whoever may not see payloads is told so."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock, monitoring, states
from ..models import Job, JobState
from .display import LABELS, badge, cause, moment, span

LONGEST = 100_000
"""Characters of a call or a result that a page shows."""


@dataclass(frozen=True)
class Text:
    """A text that may be too long to show all of it."""

    shown: str
    length: int

    @property
    def is_cut(self) -> bool:
        return self.length > len(self.shown)


def clipped(text: str) -> Text:
    return Text(text[:LONGEST], len(text))


@dataclass(frozen=True)
class Fact:
    """A line of the facts; `query` leads to the jobs that share it."""

    label: str
    value: Any
    query: dict[str, str] | None = None


@dataclass(frozen=True)
class Step:
    """An entry of the timeline. `after` is the time since the one before, `lasted` the time until the next."""

    entry: JobState
    after: timedelta | None
    lasted: timedelta | None
    payload: bool = True

    @property
    def reason(self) -> str:
        return self.entry.reason if self.payload else cause(self.entry.name, self.entry.reason)

    @property
    def label(self) -> Any:
        return LABELS.get(self.entry.name, self.entry.name)

    @property
    def at(self) -> str:
        return moment(self.entry.created_at)

    @property
    def pause(self) -> str:
        return "" if self.after is None else span(self.after)

    @property
    def length(self) -> str:
        return "" if self.lasted is None else span(self.lasted)

    @property
    def facts(self) -> list[Fact]:
        data = self.entry.data
        facts = [Fact(_("Run"), self.entry.run)] if self.entry.run else []
        if "worker" in data:
            facts.append(Fact(_("Worker"), data["worker"]))
        if "seconds" in data:
            facts.append(Fact(_("Ran for"), span(timedelta(seconds=data["seconds"]))))
        return facts

    @property
    def has_error(self) -> bool:
        return "traceback" in self.entry.data


class JobPage:
    """The page's content; `payload` says whether the reader may see arguments, result and tracebacks."""

    def __init__(self, job: Job, *, payload: bool) -> None:
        self.job = job
        self.payload = payload

    @property
    def call(self) -> Text:
        return clipped(self.job.call)

    @property
    def badge(self) -> str:
        return badge(self.job.state)

    @property
    def reason(self) -> str:
        return self.job.state_reason if self.payload else cause(self.job.state, self.job.state_reason)

    @property
    def in_state_for(self) -> str:
        return span(clock.now() - self.job.state_at)

    @property
    def facts(self) -> list[Fact]:
        return [fact for fact in self._identity() + self._times() if fact.value not in ("", None)]

    def _identity(self) -> list[Fact]:
        job = self.job
        return [
            Fact(_("Job type"), job.job_type, {"job_type": job.job_type}),
            Fact(_("Queue"), job.queue, {"queue": job.queue}),
            Fact(_("Priority"), job.priority),
            Fact(_("Attempt"), self._attempt()),
            Fact(_("Runs"), job.run),
            Fact(_("Deaths"), self.deaths),
            Fact(_("Worker"), job.worker),
            Fact(_("Created by"), job.created_by_name),
            Fact(_("Tags"), ", ".join(map(str, job.tags))),
        ]

    def _times(self) -> list[Fact]:
        job = self.job
        return [
            Fact(_("Created"), moment(job.created_at)),
            Fact(_("Scheduled for"), moment(job.scheduled_at)),
            Fact(_("Not started after"), moment(job.start_before)),
            Fact(_("Started"), moment(job.started_at)),
            Fact(_("Finished"), moment(job.finished_at)),
            Fact(_("Duration"), took(job)),
            Fact(_("Kept until"), moment(job.expires_at)),
        ]

    @property
    def deaths(self) -> str:
        """How many workers died while they ran it, in words; they count towards its quarantine."""
        number = self.job.deaths
        if not number:
            return ""
        return ngettext("%(number)d worker died under this job", "%(number)d workers died under this job", number) % {
            "number": number
        }

    def _attempt(self) -> int:
        """A job's own count names the next attempt once one has failed; a failed job means the one that failed."""
        return max(1, self.job.failures) if self.job.state == states.FAILED else self.job.attempt

    @cached_property
    def history(self) -> list[JobState]:
        return monitoring.history(self.job)

    @cached_property
    def timeline(self) -> list[Step]:
        """Newest first."""
        times = [entry.created_at for entry in self.history]
        gaps = [after - before for before, after in pairwise(times)]
        steps = zip(self.history, [None, *gaps], [*gaps, None], strict=True)
        return [Step(*step, payload=self.payload) for step in steps][::-1]

    @property
    def error(self) -> Step | None:
        """The failure that the job is in, or comes back from: the last one, unless it has succeeded since."""
        if self.job.state == states.SUCCEEDED:
            return None
        return next((step for step in self.timeline if step.has_error), None)

    @property
    def has_result(self) -> bool:
        return self.job.state == states.SUCCEEDED

    @property
    def result(self) -> Text:
        if self.is_text_only:
            return clipped(str(self.job.result))
        return clipped(json.dumps(self.job.result, indent=2, ensure_ascii=False))

    @property
    def is_text_only(self) -> bool:
        """The function returned something that JSON cannot hold; its text was stored."""
        return bool(self.history[-1].data.get("result_as_text"))


def took(job: Job) -> str:
    """How long the last run took, or has been going on; a job that was deleted has no such time."""
    if job.state == states.PROCESSING and job.started_at is not None:
        return _("%(time)s so far") % {"time": span(clock.now() - job.started_at)}
    if job.duration is None or job.state == states.DELETED:
        return ""
    return span(job.duration)
