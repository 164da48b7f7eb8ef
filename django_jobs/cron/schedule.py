"""`Cron`: the instants at which a wall clock somewhere shows what the expression says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo, available_timezones

from ..exceptions import CronError
from .calendar import Calendar
from .grammar import NAMES, parse
from .words import describe

TICK = timedelta(seconds=1)
DAY = timedelta(days=1)
ZERO = timedelta()
FIRST_YEAR, LAST_YEAR = 2, 9998  # so that every offset fits into what datetime can hold
EARLIEST = datetime(FIRST_YEAR - 1, 12, 30, tzinfo=UTC)
LATEST = datetime(LAST_YEAR + 1, 1, 2, tzinfo=UTC)


class Repeated(NamedTuple):
    """What the wall clock shows twice on an autumn night: from `begin` until before `end`."""

    begin: datetime
    end: datetime


class Cron:
    """The times that a cron expression names in a time zone.

    expression: minute, hour, day of month, month, day of week, with seconds before them if there are six; or a name
    such as ``@daily``.
    time_zone: a name of the IANA database, such as ``Asia/Kolkata``.
    match_both_days: when day of month and day of week are both given, both must fit; otherwise either, as cron does.

    When clocks go forward, what falls into the gap happens once, at the first instant after it. When clocks go back,
    a fixed time happens once, the first time it is shown; with ``*``, a range or a step in seconds, minutes or hours
    it happens both times.

    Raises CronError, a ValueError that names the field.
    """

    __slots__ = ("_calendar", "_rules", "_zone", "expression", "match_both_days")

    def __init__(self, expression: str, time_zone: str | ZoneInfo = "UTC", *, match_both_days: bool = False) -> None:
        self._rules = parse(expression, match_both_days=match_both_days)
        self._calendar = Calendar(self._rules)
        self._zone = zone_named(time_zone)
        self.expression = " ".join(expression.split())
        self.match_both_days = bool(match_both_days)

    @property
    def time_zone(self) -> str:
        """The zone's name."""
        return self._zone.key

    # Helpers, named as Hangfire's

    @classmethod
    def minutely(cls, *, time_zone: str | ZoneInfo = "UTC") -> Self:
        """Every minute."""
        return cls("* * * * *", time_zone)

    @classmethod
    def hourly(cls, minute: int = 0, *, time_zone: str | ZoneInfo = "UTC") -> Self:
        """Every hour, at that minute."""
        return cls(f"{_given('minute', minute)} * * * *", time_zone)

    @classmethod
    def daily(cls, hour: int = 0, minute: int = 0, *, time_zone: str | ZoneInfo = "UTC") -> Self:
        """Every day."""
        return cls(f"{_time(hour, minute)} * * *", time_zone)

    @classmethod
    def weekly(
        cls, day: str | int = "monday", hour: int = 0, minute: int = 0, *, time_zone: str | ZoneInfo = "UTC"
    ) -> Self:
        """Every week; `day` is a name, or a number as in cron: 0 and 7 are Sunday."""
        return cls(f"{_time(hour, minute)} * * {_given('day of week', day, words=True)}", time_zone)

    @classmethod
    def monthly(cls, day: str | int = 1, hour: int = 0, minute: int = 0, *, time_zone: str | ZoneInfo = "UTC") -> Self:
        """Every month that has that day; ``"L"`` is the last."""
        return cls(f"{_time(hour, minute)} {_given('day of month', day, words=True)} * *", time_zone)

    @classmethod
    def yearly(
        cls,
        month: str | int = 1,
        day: str | int = 1,
        hour: int = 0,
        minute: int = 0,
        *,
        time_zone: str | ZoneInfo = "UTC",
    ) -> Self:
        """Every year that has that day; `month` is a name or a number."""
        days = f"{_given('day of month', day, words=True)} {_given('month', month, words=True)}"
        return cls(f"{_time(hour, minute)} {days} *", time_zone)

    @classmethod
    def never(cls) -> Self:
        """At no time: for what is only triggered by hand."""
        return cls("0 0 31 2 *")

    # Times

    def next(self, after: datetime) -> datetime | None:
        """The first time after that instant, aware, in the schedule's zone; None if there is none."""
        return self._next(self._local(after))

    def _next(self, local: datetime) -> datetime | None:
        found = self._calendar.first(local, after=1)
        if self._rules.interval and not _close(local, found) and (twice := self._repeated(local)):
            if not local.fold:
                if found is not None and found < twice.end:
                    return found
                found = self._calendar.first(twice.begin)
            if found is not None and found < twice.end:
                return _again(found)
            found = self._calendar.first(twice.end)
        elif local.fold and (twice := self._repeated(local)):
            found = self._calendar.first(twice.end)
        return None if found is None or found.year > LAST_YEAR else self._real(found)

    def previous(self, before: datetime) -> datetime | None:
        """The last time before that instant, aware, in the schedule's zone; None if there is none."""
        local = self._local(before, before=True)
        found = self._calendar.last(local)
        if twice := self._repeated(local):
            if local.fold:
                if self._rules.interval and found is not None and found >= twice.begin:
                    return _again(found)
                found = self._calendar.last(twice.end - TICK)
            if found is not None and found >= twice.begin:
                return found
        elif found is not None and self._rules.interval and self._repeated(found):
            return _again(found)
        return None if found is None or found.year < FIRST_YEAR else self._real(found)

    def iter(self, after: datetime) -> Iterator[datetime]:
        """All times after that instant."""
        moment = self.next(after)
        while moment is not None:
            yield moment
            moment = self._next(moment)

    def _local(self, moment: datetime, *, before: bool = False) -> datetime:
        """That instant in our zone; with `before` the last whole second before it."""
        if not isinstance(moment, datetime):
            raise TypeError(f"{type(moment).__name__} is not a datetime")
        if moment.utcoffset() is None:
            raise CronError("before" if before else "after", f"{moment} has no time zone; give an aware datetime")
        try:
            instant = moment.astimezone(UTC)  # first, since only so a time that no clock shows becomes a real one
        except OverflowError:
            instant = EARLIEST if moment.year <= LAST_YEAR else LATEST
        if not FIRST_YEAR <= instant.year <= LAST_YEAR:
            instant = EARLIEST if instant < EARLIEST else LATEST
        if before and not instant.microsecond:
            instant -= TICK
        return instant.astimezone(self._zone)

    def _repeated(self, local: datetime) -> Repeated | None:
        """What the wall clock shows twice, if that time is part of it."""
        early, late = self._offsets(local)
        if early <= late:
            return None
        change = self._change(local, early, late)
        return Repeated(change + late, change + early)

    def _real(self, local: datetime) -> datetime:
        """That time, if a clock shows it; otherwise the first instant after the gap."""
        offset = local.utcoffset() or ZERO
        if self._zone.fromutc(local - offset) == local:
            return local
        return self._zone.fromutc(self._change(local, *self._offsets(local)))

    def _offsets(self, local: datetime) -> tuple[timedelta, timedelta]:
        """The zone's offsets before and after a change that makes the clock show this time twice or never."""
        return local.replace(fold=0).utcoffset() or ZERO, local.replace(fold=1).utcoffset() or ZERO

    def _change(self, local: datetime, before: timedelta, after: timedelta) -> datetime:
        """When the zone's offset changes near that time: UTC, as ZoneInfo.fromutc takes it."""
        wall = local.replace(microsecond=0, fold=0)
        low, high = wall - max(before, after), wall - min(before, after)
        while high - low > TICK:
            middle = low + (high - low) // TICK // 2 * TICK
            if self._zone.fromutc(middle).utcoffset() == before:
                low = middle
            else:
                high = middle
        return high

    # Looks

    def describe(self, language: str = "en") -> str:
        """The expression in words of that language, a code as Django's. Without cron-descriptor (the extra ``words``),
        and where that library would say something else, it is returned as it is written.
        """
        return describe(self.expression, self._rules, language)

    def __str__(self) -> str:
        return self.expression

    def __repr__(self) -> str:
        both = ", match_both_days=True" if self.match_both_days else ""
        return f"Cron({self.expression!r}, {self.time_zone!r}{both})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cron):
            return NotImplemented
        return (self._rules, self.time_zone) == (other._rules, other.time_zone)

    def __hash__(self) -> int:
        return hash((self._rules, self.time_zone))


def zone_named(name: Any) -> ZoneInfo:
    """The zone of that name. Raises CronError, with a close name if there is one."""
    if isinstance(name, ZoneInfo) and name.key:
        return name
    if not isinstance(name, str):
        raise CronError("time_zone", f"{name!r} is not the name of a time zone, such as 'Asia/Kolkata'")
    try:
        return ZoneInfo(name[:100])
    except (KeyError, ValueError, OSError):
        raise CronError("time_zone", f"no zone is named {name[:100]!r}; {_suggestion(name[:100])}") from None


def _suggestion(name: str) -> str:
    names = {known.lower(): known for known in available_timezones()}
    close = get_close_matches(name.lower(), names, n=1)
    return (
        f"did you mean {names[close[0]]!r}?" if close else "expected one of the IANA database, such as 'Asia/Kolkata'"
    )


def _close(local: datetime, found: datetime | None) -> bool:
    """Whether no clock goes back between the two: no zone ever changed its offset twice in a day."""
    return found is not None and found - local <= DAY and found.utcoffset() == local.utcoffset()


def _again(local: datetime) -> datetime:
    return local.replace(fold=1)


def _time(hour: int, minute: int) -> str:
    return f"{_given('minute', minute)} {_given('hour', hour)}"


def _given(field: str, value: Any, *, words: bool = False) -> str:
    """One value for a field: a whole number, or where the field has words a word, as long as it likes."""
    if type(value) is int:
        return str(value)
    if words and isinstance(value, str) and value.isalnum():
        return (value[:3] if value.lower() in NAMES else value).upper()
    raise CronError(field, f"{value!r} is not a {'name or ' if words else ''}whole number")
