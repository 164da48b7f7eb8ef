"""What a job says while it runs, on its page and as JSON for the script that keeps the page up to date."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, JsonResponse
from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import monitoring, states
from ..masking import Mask
from ..models import ConsoleLine, Job, Progress

LINES = 2000
"""Most lines that a page shows at first, and that it fetches at once."""


@dataclass(frozen=True)
class Line:
    """A line of the console; `before` is the number of the line shown before it."""

    line: ConsoleLine
    before: int

    @property
    def left_out(self) -> str:
        """How many lines are missing before this one, in words."""
        missing = self.line.number - self.before - 1
        if missing <= 0:
            return ""
        return ngettext("… %(number)s line left out …", "… %(number)s lines left out …", missing) % {
            "number": f"{missing:,}"
        }

    @property
    def time(self) -> str:
        return f"{localtime(self.line.at):%H:%M:%S.%f}"[:-3]

    @property
    def style(self) -> str:
        color = f" dj-color-{self.line.color}" if self.line.color else ""
        return f"dj-line dj-said-{self.line.level}{color}"

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.line.run,
            "label": label(self.line.run),
            "number": self.line.number,
            "style": self.style,
            "at": self.line.at.isoformat(),
            "time": self.time,
            "level": self.line.level,
            "text": self.line.text,
            "left_out": self.left_out,
        }


@dataclass(frozen=True)
class Run:
    """The lines of one run; that of the newest run is open."""

    number: int
    lines: list[Line]
    newest: bool

    @property
    def label(self) -> str:
        return label(self.number)


def label(run: int) -> str:
    return _("Run %(number)d") % {"number": run}


def standing(bar: Progress) -> str:
    """Where a bar stands, in figures."""
    if bar.total is None:
        return f"{bar.value:,.10g}"
    return _("%(value)s of %(total)s · %(percent)s %%") % {
        "value": f"{bar.value:,.10g}",
        "total": f"{bar.total:,.10g}",
        "percent": f"{bar.percent:g}",
    }


class Said:
    """What a job said; lines and metadata for those who may see payloads, bars for all who may see the job.

    One that never ran has neither lines nor bars.
    """

    def __init__(self, job: Job, *, payload: bool, after: int | None = None) -> None:
        self.job = job
        self.payload = payload
        self._after = after
        self._mask = Mask(job)

    @cached_property
    def lines(self) -> list[Line]:
        if not (self.payload and self.job.run):
            return []
        newest = self._after is None
        rows = monitoring.console(self.job.pk, after=self._after or 0, limit=LINES, newest=newest)
        before = [self._after or 0, *(row.number for row in rows)]
        for row in rows:
            row.text = self._mask.text(row.text)
        return [Line(row, number) for row, number in zip(rows, before, strict=False)]

    @property
    def runs(self) -> list[Run]:
        found: dict[int, list[Line]] = {}
        for line in self.lines:
            found.setdefault(line.line.run, []).append(line)
        return [Run(number, lines, number == max(found)) for number, lines in found.items()]

    @property
    def last(self) -> int:
        """Number of the last line that is shown."""
        return self.lines[-1].line.number if self.lines else self._after or 0

    @cached_property
    def bars(self) -> list[tuple[Progress, str]]:
        """Those of the newest run that had any."""
        bars: Iterable[Progress] = monitoring.progress(self.job.pk) if self.job.run else ()
        newest = max((bar.run for bar in bars), default=0)
        return [(bar, standing(bar)) for bar in bars if bar.run == newest]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Its metadata."""
        found: dict[str, Any] = self._mask.value(monitoring.metadata(self.job.pk)) if self.payload else {}
        return found

    @property
    def metadata(self) -> str:
        return json.dumps(self.facts, indent=2, ensure_ascii=False) if self.facts else ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is said: a job that was cancelled goes on until it hears of it."""
        return self.job.state in states.ENDED and not self.job.asked

    @property
    def stamp(self) -> str:
        """Changes with all that the rest of the page shows."""
        job = self.job
        return f"{job.state} {job.run} {job.asked} {job.state_at.isoformat()}"

    def as_json(self) -> dict[str, Any]:
        return {
            "state": self.job.state,
            "stamp": self.stamp,
            "over": self.is_over,
            "lines": [line.as_json() for line in self.lines],
            "more": len(self.lines) == LINES,
            "bars": [
                {"name": bar.name, "percent": bar.percent, "standing": standing, "value": bar.value, "total": bar.total}
                for bar, standing in self.bars
            ],
            "metadata": self.metadata,
        }


def said_since(request: HttpRequest, job: Job, *, payload: bool) -> JsonResponse:
    """What the job said after the line whose number is the parameter `after`."""
    after = request.GET.get("after", "0")
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise BadRequest("after is no number of a line")
    return JsonResponse(Said(job, payload=payload, after=int(after)).as_json())
