"""Times in a search: a day, a moment, or a distance from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.timezone import get_current_timezone, is_naive, localtime, make_aware
from django.utils.translation import gettext as _

from .refusals import BadSearch

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DISTANCE = re.compile(r"([+-])(\d{1,6})([smhdw])")
PRECISION = re.compile(r"\d\d:\d\d(:\d\d)?([.,]\d+)?")
Span = tuple[datetime | None, datetime | None]
"""From, and until but not included; None is open."""


def span(term: str, sign: str, text: str, now: datetime) -> Span:
    """The times that `sign` and `text` stand for. Raises BadSearch."""
    if sign == ":" and ".." in text:
        first, _dots, last = text.partition("..")
        return (_span(term, first, now)[0] if first else None, _span(term, last, now)[1] if last else None)
    start, end = _span(term, text, now)
    match sign:
        case ">":
            return end, None
        case ">=":
            return start, None
        case "<":
            return None, start
        case "<=":
            return None, end
    if DISTANCE.fullmatch(text):
        return (start, now) if text.startswith("-") else (now, start)
    return start, end


def _span(term: str, text: str, now: datetime) -> tuple[datetime, datetime]:
    """A day or a minute is a span; a distance from now is a moment."""
    try:
        found = _day(text, now) or _moment(text) or _distance(text, now)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        expected = _("a time is expected: 2026-11-01, 2026-11-01T10:30, today, yesterday, or -2h for two hours ago")
        raise BadSearch(term, expected)
    return found


def _day(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    named = {"today": 0, "yesterday": -1, "tomorrow": 1}
    day = localtime(now).date() + timedelta(days=named[text]) if text in named else parse_date(text)
    if day is None:
        return None
    zone = get_current_timezone()
    begin = datetime(day.year, day.month, day.day)
    return tuple(make_aware(at, zone).astimezone(UTC) for at in (begin, begin + timedelta(days=1)))  # type: ignore[return-value]


def _moment(text: str) -> tuple[datetime, datetime] | None:
    at = parse_datetime(text)
    if at is None:
        return None
    at = (make_aware(at) if is_naive(at) else at).astimezone(UTC)
    given = PRECISION.search(text)
    seconds, fraction = given.groups() if given else (None, None)
    return at, at + (timedelta(microseconds=1) if fraction else timedelta(seconds=1 if seconds else 60))


def _distance(text: str, now: datetime) -> tuple[datetime, datetime] | None:
    match = DISTANCE.fullmatch(text)
    if match is None:
        return None
    length = timedelta(**{UNITS[match[3]]: int(match[2])})
    at = now - length if match[1] == "-" else now + length
    return at, at
