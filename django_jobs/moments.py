"""Times that a caller gives, as the database takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.timezone import is_aware

from .exceptions import InvalidJob


def aware_moment(when: Any, now: datetime, name: str) -> datetime | None:
    """A time that a caller gave: an aware datetime, or a timedelta from `now`. Raises InvalidJob with that name."""
    if when is None:
        return None
    try:
        if isinstance(when, timedelta):
            return now + when
        if isinstance(when, datetime) and is_aware(when):
            return when.astimezone(UTC)  # no database takes every offset that Python has
    except OverflowError:
        raise InvalidJob(name, f"is {when!r}, which is beyond the calendar") from None
    problem = "a datetime without a time zone" if isinstance(when, datetime) else repr(when)
    raise InvalidJob(name, f"is {problem}; give an aware datetime, or a timedelta from now")


def as_span(seconds: float, name: str) -> timedelta:
    """Seconds as a timedelta. Raises InvalidJob with that name."""
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise InvalidJob(name, f"is {seconds!r}, which is beyond the calendar") from None
