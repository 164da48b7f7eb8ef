"""`RateLimit`: how many jobs may start within a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MINUTE, HOUR, DAY = 60, 3600, 86400
UNITS = {"s": 1, "sec": 1, "second": 1} | dict.fromkeys(("m", "min", "minute"), MINUTE)
UNITS |= {"h": HOUR, "hour": HOUR, "d": DAY, "day": DAY}
TEXT = re.compile(rf"\s*(\d+)\s*/\s*(\d*)\s*({'|'.join(UNITS)})s?(\s+sliding)?\s*")
EXPECTED = 'a RateLimit, or a text such as "10/m", "100/5min", "3/s sliding"'
SLACK = 0.1
"""Seconds from the claim of a job to the start of its function that a sliding window allows for."""


@dataclass(frozen=True)
class RateLimit:
    """At most `count` jobs start within `per` (a timedelta, or seconds).

    sliding: in any span of that length; else in each window of the clock (the minute, the hour), which lets up to twice
    as many start around the end of one.
    key: limits each value apart: a template of arguments such as "customer-{customer_id}", or a function of them.

    Raises ValueError for a count below 1, or a span that is not above 0.
    """

    count: int
    per: timedelta | float = timedelta(minutes=1)
    sliding: bool = False
    key: str | Callable[..., str] | None = None

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise ValueError(f"count is {self.count!r}; give a whole number of at least 1")
        if isinstance(self.per, bool) or not isinstance(self.per, int | float | timedelta):
            raise ValueError(f"per is {self.per!r}; give a timedelta, or seconds")
        if not 0 < self.seconds <= 366 * DAY:
            raise ValueError(f"per is {self.per!r}; give a span above 0, of a year at most")
        if self.key is not None and not callable(self.key) and not isinstance(self.key, str):
            raise ValueError(f'key is {self.key!r}; give a template such as "customer-{{customer_id}}", or a function')

    @property
    def seconds(self) -> float:
        return self.per.total_seconds() if isinstance(self.per, timedelta) else float(self.per)

    def until(self, at: datetime) -> datetime:
        """When the slot of a job that starts at `at` becomes free."""
        if self.sliding:
            return at + timedelta(seconds=self.seconds + min(SLACK, self.seconds / 10))
        start = at.timestamp() // self.seconds * self.seconds
        return datetime.fromtimestamp(start + self.seconds, UTC)

    def __str__(self) -> str:
        unit = next(
            (name for name, length in (("d", DAY), ("h", HOUR), ("m", MINUTE)) if not self.seconds % length), "s"
        )
        number = self.seconds / UNITS[unit]
        return f"{self.count}/{'' if number == 1 else f'{number:g}'}{unit}{' sliding' if self.sliding else ''}"


def rate_from(value: Any) -> RateLimit:
    """A RateLimit from one, or from a text. Raises ValueError saying what was expected."""
    if isinstance(value, RateLimit):
        return value
    match = TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"is {value!r}; give {EXPECTED}")
    count, number, unit, sliding = match.groups()
    return RateLimit(int(count), float(number or 1) * UNITS[unit], sliding=bool(sliding))


def rates_from(value: Any) -> tuple[RateLimit, ...]:
    """Any number of them: None, one, or several. Raises ValueError."""
    if value is None:
        return ()
    if isinstance(value, str | RateLimit) or not isinstance(value, Iterable):
        return (rate_from(value),)
    return tuple(rate_from(one) for one in value)
