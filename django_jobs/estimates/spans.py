"""A number of seconds that is not known exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds: `likely`, and the range from `low` to `high` in which nine of ten should fall."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def after(self, moment: datetime) -> tuple[datetime, datetime, datetime]:
        """The same as times, counted from a moment."""
        early, likely, late = (moment + timedelta(seconds=part) for part in (self.low, self.likely, self.high))
        return early, likely, late


NOW = Span(0.0, 0.0, 0.0)


def latest(spans: list[Span]) -> Span:
    """When the last of several things is over."""
    return Span(max(one.low for one in spans), max(one.likely for one in spans), max(one.high for one in spans))
