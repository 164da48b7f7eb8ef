"""What was done to a queue, in words: for who did it here, and for the log, wherever it was done."""

from __future__ import annotations

from datetime import timedelta

from django.utils.translation import gettext as _

from .display import span


def paused(name: str, time: timedelta | None) -> str:
    if time is None:
        return _("Queue %(name)s is paused.") % {"name": name}
    return _("Queue %(name)s is paused for %(time)s.") % {"name": name, "time": span(time)}


def resumed(name: str) -> str:
    return _("Queue %(name)s goes on.") % {"name": name}


def purged(name: str, number: int) -> str:
    return _("Queue %(name)s was purged: %(number)s jobs were deleted.") % {"name": name, "number": f"{number:,}"}
