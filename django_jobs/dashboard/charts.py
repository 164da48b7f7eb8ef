"""Graphs of what ended, as texts that a template puts into SVG: no locale may write commas there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import cached_property
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from ..monitoring import Hour

HEIGHT = 100.0
WIDTH = 10.0
"""Of one bar with its gap, in the units of the picture."""
LEAST = 1.5
"""Height of what is there at all: a few failures among thousands of jobs must be seen."""
KINDS = Hour.STATES


@dataclass(frozen=True)
class Part:
    """A rectangle of a bar."""

    kind: str
    y: str
    height: str


@dataclass(frozen=True)
class Bar:
    """What ended between `since` and the next bar."""

    hour: Hour
    x: str
    width: str
    parts: list[Part]

    @property
    def since(self) -> str:
        return short(self.hour.at)

    @property
    def title(self) -> str:
        told = {kind: f"{getattr(self.hour, kind):,}" for kind in KINDS}
        return f"{self.since}: " + _("%(succeeded)s succeeded, %(failed)s failed, %(deleted)s deleted") % told


class History:
    """Bars for a row of hours, `step` of them in each."""

    def __init__(self, title: str, hours: Sequence[Hour], step: int = 1) -> None:
        self.title = title
        self.spans = [_together(hours[start : start + step]) for start in range(0, len(hours), step)]

    @cached_property
    def top(self) -> int:
        """What the highest bar stands for."""
        return max((sum(getattr(span, kind) for kind in KINDS) for span in self.spans), default=0)

    @property
    def view_box(self) -> str:
        return f"0 0 {WIDTH * len(self.spans):.0f} {HEIGHT:.0f}"

    @cached_property
    def bars(self) -> list[Bar]:
        return [
            Bar(span, f"{number * WIDTH + 1:.1f}", f"{WIDTH - 2:.1f}", list(self._parts(span)))
            for number, span in enumerate(self.spans)
        ]

    def _parts(self, span: Hour) -> Iterator[Part]:
        """From the bottom up; what is least comes last, so that nothing hides it."""
        bottom = HEIGHT
        for kind in KINDS:
            number = getattr(span, kind)
            if number:
                height = max(LEAST, number / self.top * (HEIGHT - 2 * LEAST))
                bottom -= height
                yield Part(kind, f"{bottom:.2f}", f"{height:.2f}")

    @cached_property
    def totals(self) -> str:
        told = {kind: f"{sum(getattr(span, kind) for span in self.spans):,}" for kind in KINDS}
        return _("%(succeeded)s succeeded, %(failed)s failed, %(deleted)s deleted") % told

    @property
    def ticks(self) -> list[str]:
        """Times below the picture: its beginning and its middle."""
        return [short(self.spans[at].at) for at in (0, len(self.spans) // 2)]


def _together(hours: Sequence[Hour]) -> Hour:
    return Hour(hours[0].at, *(sum(getattr(hour, kind) for hour in hours) for kind in KINDS))


def short(at: datetime) -> str:
    """Day and time in the current time zone."""
    return f"{localtime(at):%m-%d %H:%M}"
