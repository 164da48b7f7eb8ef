"""Recurring jobs that will be in each other's way, as the admin shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.safestring import SafeString

from .. import estimates
from .display import moment, span

HOURS = 24
SHOWN = 100
"""Most collisions in the table."""
NAMED = 10
"""Most recurring jobs of each."""


@dataclass(frozen=True)
class Row:
    """A collision, as its line shows it."""

    found: estimates.Collision

    @property
    def at(self) -> SafeString | str:
        return moment(self.found.at)

    @property
    def delay(self) -> str:
        return span(timedelta(seconds=self.found.delay))

    @property
    def named(self) -> Sequence[str]:
        return self.found.schedules[:NAMED]

    @property
    def more(self) -> int:
        return max(0, len(self.found.schedules) - NAMED)


class CollisionPage:
    """What is expected of the next hours, the earliest first."""

    hours = HOURS

    def __init__(self) -> None:
        found = estimates.collisions(HOURS)
        self.rows = [Row(one) for one in found[:SHOWN]]
        self.left_out = max(0, len(found) - SHOWN)
