"""The wall clock: which dates and times fit the rules, wherever that wall is."""

from __future__ import annotations

from datetime import MAXYEAR, MINYEAR, date, datetime
from functools import cached_property, lru_cache

from .grammar import Days, Rules, Weekdays

LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SEVENTHS = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28
CYCLE = 400
"""Years after which the calendar repeats itself."""

Shape = tuple[int, int]
"""Of a month: the weekday of its first day (Sunday is 0), and its length."""


@lru_cache(maxsize=1000)
def shape(year: int, month: int) -> Shape:
    leap = month == 2 and (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
    return date(year, month, 1).isoweekday() % 7, LENGTHS[month] + leap


def lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


class Calendar:
    """The datetimes that fit the rules, in whole seconds and with the zone of the one given, which is not looked at."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._days: dict[Shape, int] = {}
        self._first_time = (lowest(rules.hours), lowest(rules.minutes), lowest(rules.seconds))
        self._last_time = (
            rules.hours.bit_length() - 1,
            rules.minutes.bit_length() - 1,
            rules.seconds.bit_length() - 1,
        )

    def first(self, wall: datetime, *, after: int = 0) -> datetime | None:
        """The first that fits, from `wall` on, or from so many seconds `after` it."""
        year, month, day = wall.year, wall.month, wall.day
        days = self._days_of(year, month) >> day
        if days & 1 and (time := self._time_from(wall.hour, wall.minute, wall.second + after)):
            return datetime(year, month, day, *time, 0, wall.tzinfo)
        if days := days & ~1:
            return datetime(year, month, day + lowest(days), *self._first_time, 0, wall.tzinfo)
        return self._in_later_months(wall)

    def last(self, wall: datetime) -> datetime | None:
        """The last that fits, up to `wall`."""
        year, month, day = wall.year, wall.month, wall.day
        days = self._days_of(year, month) & ((2 << day) - 1)
        if days >> day and (time := self._time_until(wall.hour, wall.minute, wall.second)):
            return datetime(year, month, day, *time, 0, wall.tzinfo)
        if days := days & ((1 << day) - 1):
            return datetime(year, month, days.bit_length() - 1, *self._last_time, 0, wall.tzinfo)
        return self._in_earlier_months(wall)

    def _time_from(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        rules, (_, first_minute, first_second) = self.rules, self._first_time
        if rules.hours >> hour & 1:
            if rules.minutes >> minute & 1 and (seconds := rules.seconds >> second):
                return hour, minute, second + lowest(seconds)
            if minutes := rules.minutes >> minute + 1:
                return hour, minute + 1 + lowest(minutes), first_second
        if hours := rules.hours >> hour + 1:
            return hour + 1 + lowest(hours), first_minute, first_second
        return None

    def _time_until(self, hour: int, minute: int, second: int) -> tuple[int, int, int] | None:
        rules, (_, last_minute, last_second) = self.rules, self._last_time
        if rules.hours >> hour & 1:
            if rules.minutes >> minute & 1 and (seconds := rules.seconds & ((2 << second) - 1)):
                return hour, minute, seconds.bit_length() - 1
            if minutes := rules.minutes & ((1 << minute) - 1):
                return hour, minutes.bit_length() - 1, last_second
        if hours := rules.hours & ((1 << hour) - 1):
            return hours.bit_length() - 1, last_minute, last_second
        return None

    def _in_later_months(self, wall: datetime) -> datetime | None:
        months = self.rules.months & ~((2 << wall.month) - 1)
        for later in range(wall.year, min(wall.year + CYCLE, MAXYEAR) + 1):
            while months:
                month = lowest(months)
                if days := self._days_of(later, month):
                    return datetime(later, month, lowest(days), *self._first_time, 0, wall.tzinfo)
                months &= months - 1
            if not self.reachable:
                return None
            months = self.rules.months
        return None

    def _in_earlier_months(self, wall: datetime) -> datetime | None:
        months = self.rules.months & ((1 << wall.month) - 1)
        for earlier in range(wall.year, max(wall.year - CYCLE, MINYEAR) - 1, -1):
            while months:
                month = months.bit_length() - 1
                if days := self._days_of(earlier, month):
                    return datetime(earlier, month, days.bit_length() - 1, *self._last_time, 0, wall.tzinfo)
                months ^= 1 << month
            if not self.reachable:
                return None
            months = self.rules.months
        return None

    @cached_property
    def reachable(self) -> bool:
        """Whether any month of any year has such a day."""
        lengths = {LENGTHS[month] for month in range(1, 13) if self.rules.months >> month & 1}
        lengths |= {29} if 28 in lengths else set()
        return any(self._days_in((weekday, length)) for weekday in range(7) for length in lengths)

    def _days_of(self, year: int, month: int) -> int:
        return self._days_in(shape(year, month)) if self.rules.months >> month & 1 else 0

    def _days_in(self, month: Shape) -> int:
        days = self._days.get(month)
        if days is None:
            fits = fitting_days(self.rules.days, month), fitting_weekdays(self.rules.weekdays, month)
            days = self._days[month] = fits[0] | fits[1] if self.rules.either else fits[0] & fits[1]
        return days


def fitting_days(days: Days, month: Shape) -> int:
    """Which days of such a month fit the day of month; bit 1 is the first."""
    length = month[1]
    bits = days.plain | sum(1 << length - back for back in days.from_end if back < length)
    for day in days.near | {length - back for back in days.near_from_end}:
        if 1 <= day <= length:
            bits |= 1 << nearest_weekday(day, month)
    return bits & ((2 << length) - 1)


def nearest_weekday(day: int, month: Shape) -> int:
    """The nearest of Monday to Friday, without leaving the month."""
    first, length = month
    weekday = (first + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


def fitting_weekdays(weekdays: Weekdays, month: Shape) -> int:
    """Which days of such a month fit the day of week; bit 1 is the first."""
    first, length = month
    bits = 0
    for weekday in range(7):
        earliest = 1 + (weekday - first) % 7
        if weekdays.plain >> weekday & 1:
            bits |= SEVENTHS << earliest
        if weekday in weekdays.last:
            bits |= 1 << earliest + (length - earliest) // 7 * 7
        for number in range(1, 6):
            if (weekday, number) in weekdays.nth:
                bits |= 1 << earliest + 7 * (number - 1)
    return bits & ((2 << length) - 1)
