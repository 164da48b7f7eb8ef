"""How fast queues are worked off, by the newest entries of the history."""

from __future__ import annotations

from collections import Counter as Tally
from datetime import timedelta

from .. import clock, states
from ..conf import settings
from ..models import JobState
from .counting import Count
from .once import once

SAMPLE = 2000
"""Entries of the history that are looked at."""
RECENT = timedelta(minutes=10)
"""Older ones say nothing of now."""


@once
def pace() -> dict[str, float]:
    """How many runs end in a second, by queue: of the last ten minutes, as far as the sample reaches."""
    entries = JobState.objects.using(settings.DATABASE).order_by("-id").values_list("name", "created_at", "job__queue")
    now = clock.now()
    recent = [entry for entry in entries[:SAMPLE] if now - entry[1] < RECENT]
    if not recent:
        return {}
    span = max(1.0, (now - min(at for _, at, _ in recent)).total_seconds())
    ended = Tally(queue for name, _, queue in recent if name in {states.SUCCEEDED, states.FAILED})
    return {queue: number / span for queue, number in ended.items()}


def drain_time(waiting: Count, per_second: float) -> timedelta | None:
    """How long it takes to work off what waits, if nothing comes and the pace stays; None where nobody can tell."""
    if not waiting.number:
        return timedelta(0)
    return timedelta(seconds=waiting.number / per_second) if per_second else None
