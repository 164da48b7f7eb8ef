"""How states, times and durations look, in lists and on pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import is_aware, localtime
from django.utils.translation import gettext as _

from ..models.job import STATES
from ..states import FAILED

LABELS = dict(STATES)


def badge(state: str) -> SafeString:
    """The state's name on its colour."""
    return format_html('<span class="dj-badge dj-state-{}">{}</span>', state, LABELS.get(state, state))


def cause(state: str, reason: str) -> str:
    """The reason without an exception's message, which may quote arguments: for those who may not see payloads."""
    told = reason.startswith("Retry ") or state == FAILED
    return reason.partition(": ")[0] if told else reason


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
