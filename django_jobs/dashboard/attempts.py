"""The runs of a job, one by one: how each ended, its error, where it ran and what it said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import monitoring, states
from ..masking import Mask
from ..models import JobState
from . import tracebacks
from .display import badge, moment, span
from .saidpage import Line, Run


@dataclass(frozen=True)
class Problem:
    """What a run raised, for those who may see payloads."""

    exception: str
    message: str
    traceback: str

    @property
    def marked(self) -> SafeString:
        return tracebacks.marked(self.traceback)


@dataclass
class Attempt:
    """A run. `began` and `ended` are entries of the history, as far as it was read."""

    number: int
    mask: Mask
    payload: bool
    began: JobState | None = None
    ended: JobState | None = None
    lines: list[Line] = field(default_factory=list)
    newest: bool = False

    @property
    def label(self) -> str:
        return _("Run %(number)d") % {"number": self.number}

    @property
    def badge(self) -> SafeString:
        return badge(self.ended.name if self.ended else states.PROCESSING)

    @property
    def reason(self) -> str:
        if self.ended is None:
            return ""
        text = self.ended.reason if self.payload else monitoring.cause(self.ended.name, self.ended.reason)
        return self.mask.text(text) if self.payload else text

    @property
    def worker(self) -> str:
        told = [entry.data.get("worker", "") for entry in (self.began, self.ended) if entry is not None]
        return next(filter(None, told), "")

    @property
    def started(self) -> SafeString | str:
        return moment(self.began.created_at) if self.began else ""

    @property
    def took(self) -> str:
        if self.ended is None:
            return ""
        seconds = self.ended.data.get("seconds")
        if seconds is None and self.began is not None:
            seconds = (self.ended.created_at - self.began.created_at).total_seconds()
        return "" if seconds is None else span(timedelta(seconds=seconds))

    @cached_property
    def problem(self) -> Problem | None:
        """What it raised; None where it did not, or where that is not to be seen."""
        data = self.ended.data if self.ended and self.payload else {}
        if "traceback" not in data:
            return None
        return Problem(*(self.mask.text(str(data.get(name, ""))) for name in ("exception", "message", "traceback")))

    @property
    def has_failed(self) -> bool:
        return self.ended is not None and "traceback" in self.ended.data


def attempts(entries: Iterable[JobState], said: Iterable[Run], mask: Mask, *, payload: bool) -> list[Attempt]:
    """The runs of which history or console tell, in order."""
    found: dict[int, Attempt] = {}

    def attempt(number: int) -> Attempt:
        return found.setdefault(number, Attempt(number, mask, payload))

    for entry in entries:
        if entry.name == states.PROCESSING:
            attempt(entry.run).began = entry
        elif entry.run in found or "traceback" in entry.data:
            one = attempt(entry.run)
            one.ended = one.ended or entry
    for run in said:
        attempt(run.number).lines = run.lines
    runs = [found[number] for number in sorted(found)]
    for last in runs[-1:]:
        last.newest = True
    return runs
