"""How states, times and durations look, in lists and on pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from ..models import Breach, Job, Progress
from ..models.job import STATES

LABELS = dict(STATES)

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


def badge(state: str) -> SafeString:
    """The state's name on its colour."""
    return format_html('<span class="dj-badge dj-state-{}">{}</span>', state, LABELS.get(state, state))


def bar(job: Job) -> SafeString:
    """The progress of a job that runs, where the list found one."""
    progress: Progress | None = getattr(job, "bar", None)
    if progress is None or progress.percent is None:
        return SafeString("")
    return format_html(
        '<progress class="dj-small-bar" max="100" value="{}" title="{}">{} %</progress>',
        f"{progress.percent:.1f}",
        str(progress),
        f"{progress.percent:g}",
    )


def marks(job: Job) -> SafeString:
    """What stands beside the state in the list: a running job's progress, broken service levels."""
    broken: list[Breach] = getattr(job, "sla", [])
    told = format_html_join("", ' <span class="dj-badge dj-warning-level" title="{}">{}</span>', _named(broken))
    return format_html("{}{}", bar(job), told)


def _named(broken: list[Breach]) -> Iterator[tuple[str, Any]]:
    return ((str(breach), breach.get_kind_display()) for breach in broken)


def moment(at: datetime | None) -> SafeString | str:
    """A time to the second in the current time zone, and exactly for machines."""
    if at is None:
        return ""
    local = localtime(at) if is_aware(at) else at
    day, time = f"{local:%Y-%m-%d}", f"{local:%H:%M:%S}"
    parts = format_html("<span>{}</span> <span>{}</span>", day, time)
    return format_html('<time class="dj-time" datetime="{}">{}</time>', at.isoformat(), parts)


def span(length: timedelta) -> str:
    """A duration in its two largest units; below a minute to three digits, below zero (clocks differ) as zero."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 1:
        return _("%(number)s ms") % {"number": f"{seconds * 1000:.3g}"}
    if seconds < 60:
        return _("%(number)s s") % {"number": f"{seconds:.3g}"}
    if seconds < 3600:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": seconds // 60, "seconds": seconds % 60}
    if seconds < 86400:
        return _("%(hours)d h %(minutes)d min") % {"hours": seconds // 3600, "minutes": seconds % 3600 // 60}
    return _("%(days)d d %(hours)d h") % {"days": seconds // 86400, "hours": seconds % 86400 // 3600}
