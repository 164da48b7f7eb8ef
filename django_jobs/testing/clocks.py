"""The clock of django_jobs, moved by a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from .. import clock
from ..moments import aware_moment


class MovableClock:
    """The clock that django_jobs reads; it goes on by itself between two moves."""

    @property
    def now(self) -> datetime:
        """The time that it shows, in UTC."""
        return clock.now()

    def move(self, to: datetime | timedelta) -> datetime:
        """Show another time: an aware datetime, or a timedelta from now. Returns it; raises InvalidJob for another."""
        moment = aware_moment(to, clock.now(), "to")
        if moment is not None:
            clock.clock.anchor(moment)
        return clock.now()


@contextmanager
def moved_clock(to: datetime | timedelta = timedelta()) -> Iterator[MovableClock]:
    """Let django_jobs see another time within the block; afterwards the clock is set back."""
    with clock_kept():
        movable = MovableClock()
        movable.move(to)
        yield movable


@contextmanager
def clock_kept() -> Iterator[None]:
    """Leave the clock as it was."""
    before = clock.Clock()
    before.follow(clock.clock)
    try:
        yield
    finally:
        clock.clock.follow(before)
