"""What the page of one job shows: its call, facts, timeline, runs and outcome, as far as its reader may see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock, kinship, monitoring, slas, states
from ..again import origin
from ..masking import Mask
from ..models import Job, JobState
from . import asked, calls
from .attempts import Attempt, attempts
from .display import LABELS, Text, badge, clipped, moment, span
from .drawing import Drawing
from .expected import Expected
from .objects import ObjectLink
from .reader import Reader
from .relatives import Relatives
from .saidpage import Said
from .watching import MOST_JOBS

ENTRIES = 50
"""Changes of state that a page shows at once."""


@dataclass(frozen=True)
class Fact:
    """A line of the facts; `query` leads to the jobs that share it, `url` to the page of what it names."""

    label: str
    value: Any
    query: dict[str, str] | None = None
    url: str = ""


@dataclass(frozen=True)
class Step:
    """An entry of the timeline. `after` is the time since the one before, `lasted` the time until the next."""

    entry: JobState
    after: timedelta | None
    lasted: timedelta | None
    reason: str

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
    """The page's content, for one reader. `before` is the entry of the history up to which it is shown."""

    def __init__(self, job: Job, reader: Reader, *, before: int | None = None) -> None:
        self.job = job
        self.reader = reader
        self.payload = reader.payload
        self.mask = Mask(job)
        self.before = before

    # The call

    @property
    def call(self) -> Text:
        return calls.written(self.job, self.mask)

    @cached_property
    def arguments(self) -> list[calls.Argument]:
        return calls.arguments(self.job, self.mask, self.reader.objects)

    # How it is

    @property
    def badge(self) -> str:
        return badge(self.job.state)

    @property
    def reason(self) -> str:
        return self._reason(self.job.state, self.job.state_reason)

    def told(self, entry: JobState) -> str:
        """The reason of a change, as the reader may see it."""
        return self._reason(entry.name, entry.reason)

    def _reason(self, state: str, reason: str) -> str:
        return self.mask.text(reason) if self.payload else monitoring.cause(state, reason)

    @property
    def asked(self) -> str:
        """What it was asked while it ran and has not answered yet."""
        return asked.told(self.job)

    @property
    def in_state_for(self) -> str:
        return span(clock.now() - self.job.state_at)

    # Its relatives

    @cached_property
    def kin(self) -> kinship.Kin:
        return kinship.around_job(self.job)

    @cached_property
    def graph(self) -> Drawing | None:
        return None if self.kin.is_alone else Drawing(self.kin, self.reader)

    @property
    def followed(self) -> list[int]:
        """The jobs whose changes change the page: it and those that are drawn."""
        return [self.job.pk, *(pk for pk in self.kin.jobs if pk != self.job.pk)][:MOST_JOBS]

    @cached_property
    def relatives(self) -> Relatives:
        return Relatives(self.kin)

    # Facts

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
            Fact(_("Worker"), job.worker, url=self._server()),
            Fact(_("Created by"), job.created_by_name, url=self._creator()),
            *self._origin(),
            Fact(_("Recurring job"), job.recurring_job_id, {"recurring_job": job.recurring_job_id or ""}),
            Fact(_("Tags"), ", ".join(map(str, job.tags))),
        ]

    def _server(self) -> str:
        """The page of the server whose worker has it, or had it last."""
        found = monitoring.server_of(self.job.worker) if self.job.worker and self.reader.may("view_server") else None
        return "" if found is None else self.reader.url("server_change", found)

    def _creator(self) -> str:
        link = self.reader.objects.link_to(self.job, "created_by")
        return link.url if link else ""

    def _origin(self) -> list[Fact]:
        """The job that somebody changed to make this one."""
        of = origin(self.job)
        return [] if of is None else [Fact(_("Again, of"), f"#{of}", url=self.reader.url("job_change", of))]

    def _times(self) -> list[Fact]:
        job, expected = self.job, Expected(self.job)
        return [
            Fact(_("Created"), moment(job.created_at)),
            Fact(_("Scheduled for"), moment(job.scheduled_at)),
            Fact(_("Not started after"), moment(job.start_before)),
            Fact(_("Starts, as expected"), expected.starts),
            Fact(_("Started"), moment(job.started_at)),
            Fact(_("Last checkpoint"), self._checkpoint()),
            Fact(_("Ends, as expected"), expected.ends),
            Fact(_("Finished"), moment(job.finished_at)),
            Fact(_("Duration"), took(job)),
            Fact(_("Usual duration"), expected.lasts),
            *(Fact(_("Service level"), str(breach)) for breach in slas.breached([job.pk]).get(job.pk, [])),
            Fact(_("Kept until"), moment(job.expires_at)),
        ]

    def _checkpoint(self) -> str:
        found = monitoring.checkpoint(self.job) if self.job.run else None
        return "" if found is None else moment(found.made_at)

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

    # What happened

    @cached_property
    def past(self) -> monitoring.Past:
        return monitoring.past(self.job, before=self.before, limit=ENTRIES)

    @cached_property
    def _newest(self) -> monitoring.Past:
        """The end of its history, whichever part of it is shown."""
        return self.past if self.before is None else monitoring.past(self.job, limit=ENTRIES)

    @cached_property
    def timeline(self) -> list[Step]:
        """Newest first."""
        entries = self.past.entries
        times = [entry.created_at for entry in entries]
        gaps = [after - before for before, after in pairwise(times)]
        steps = zip(entries, [None, *gaps], [*gaps, None], strict=True)
        return [Step(*step, reason=self.told(step[0])) for step in steps][::-1]

    @cached_property
    def said(self) -> Said:
        return Said(self.job, payload=self.payload)

    @cached_property
    def attempts(self) -> list[Attempt]:
        return attempts(self.past.entries, self.said.runs, self.mask, payload=self.payload)

    @cached_property
    def error(self) -> Attempt | None:
        """The failure that the job is in, or comes back from: the last one, unless it has succeeded since."""
        if self.job.state == states.SUCCEEDED:
            return None
        last = self.attempts
        if self.before is not None:
            last = attempts(self._newest.entries, (), self.mask, payload=self.payload)
        return next((one for one in reversed(last) if one.has_failed), None)

    @property
    def has_result(self) -> bool:
        return self.job.state == states.SUCCEEDED

    @property
    def result(self) -> Text:
        if self.is_text_only:
            return clipped(self.mask.text(str(self.job.result)))
        return clipped(json.dumps(self.mask.value(self.job.result), indent=2, ensure_ascii=False))

    @property
    def is_text_only(self) -> bool:
        """The function returned something that JSON cannot hold; its text was stored."""
        return bool(self._newest.entries[-1].data.get("result_as_text"))

    @cached_property
    def named(self) -> list[ObjectLink]:
        """What its metadata name."""
        return self.reader.objects.named_by("", self.said.facts) if self.payload else []


def took(job: Job) -> str:
    """How long the last run took, or has been going on; a job that was deleted has no such time."""
    if job.state == states.PROCESSING and job.started_at is not None:
        return _("%(time)s so far") % {"time": span(clock.now() - job.started_at)}
    if job.duration is None or job.state == states.DELETED:
        return ""
    return span(job.duration)
