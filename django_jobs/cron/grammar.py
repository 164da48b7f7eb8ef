"""The text of a cron expression, checked and turned into sets of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..exceptions import CronError

LONGEST = 1000
MACROS = {
    "@every_second": "* * * * * *",
    "@every_minute": "* * * * *",
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
EVERY = ("*", "?")


NAMES = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
    *("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"),
)


@dataclass(frozen=True)
class Field:
    """One of the six: its name, its numbers and its words."""

    name: str
    first: int
    last: int
    words: dict[str, int] = field(default_factory=dict)

    @property
    def span(self) -> int:
        """How many numbers there are until the first comes again; 7 is Sunday, as 0 is."""
        return 7 if self is DAY_OF_WEEK else self.last - self.first + 1

    def number(self, text: str) -> int:
        if text in self.words:
            return self.words[text]
        if not re.fullmatch("[0-9]+", text):
            raise self.error(f"{text!r} is not known")
        return self.within(int(text), self.first, self.last)

    def within(self, number: int, first: int, last: int, what: str = "") -> int:
        if not first <= number <= last:
            raise CronError(self.name, f"{what}{number} is not between {first} and {last}")
        return number

    def error(self, problem: str) -> CronError:
        words = list(self.words)
        named = f" or {words[0]}-{words[-1]}" if words else ""
        return CronError(
            self.name, f"{problem}; expected {self.first}-{self.last}{named}, alone or as in {self.example}"
        )

    @property
    def example(self) -> str:
        more = {"day of month": ", L, L-3, LW, 15W", "day of week": ", FRIL, FRI#2"}
        return f"1-5, 1,3, */2{more.get(self.name, '')}"


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY_OF_MONTH = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, {name[:3].upper(): number for number, name in enumerate(NAMES[:12], 1)})
DAY_OF_WEEK = Field("day of week", 0, 7, {name[:3].upper(): number for number, name in enumerate(NAMES[12:])})


@dataclass(frozen=True)
class Days:
    """The day of month: plain days as bits, ``L-n`` as n, ``15W`` as 15, ``L-nW`` as n."""

    plain: int = 0
    from_end: frozenset[int] = frozenset()
    near: frozenset[int] = frozenset()
    near_from_end: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Weekdays:
    """The day of week: bits from Sunday, ``5L`` as 5, ``5#2`` as (5, 2)."""

    plain: int = 0
    last: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Rules:
    """What an expression says. Sets of numbers are bits of an integer.

    either: a day counts when the day of month or the day of week fits; otherwise both must.
    interval: seconds, minutes or hours are given as ``*``, as a range or with a step, so both hours of an autumn
    night count.
    """

    seconds: int
    minutes: int
    hours: int
    months: int
    days: Days
    weekdays: Weekdays
    either: bool
    interval: bool


def fields_of(expression: str) -> list[str]:
    """The six fields, in capitals."""
    if not isinstance(expression, str):
        raise CronError("cron", f"{type(expression).__name__} is not text, such as '0 2 * * *'")
    if len(expression) > LONGEST:
        raise CronError("cron", f"{len(expression):,} characters; at most {LONGEST:,} are allowed")
    text = expression.strip()
    if text.startswith("@"):
        if text.lower() not in MACROS:
            raise CronError("cron", f"{text!r} is not known; expected one of {', '.join(sorted(MACROS))}")
        text = MACROS[text.lower()]
    fields = text.upper().split()
    if len(fields) not in (5, 6):
        raise CronError(
            "cron",
            f"{len(fields)} fields in {text!r}; expected 5 (minute, hour, day of month, month, day of week), "
            "or 6 with seconds first",
        )
    return fields if len(fields) == 6 else ["0", *fields]


def parse(expression: str, *, match_both_days: bool) -> Rules:
    """Raises CronError, which names the field."""
    second, minute, hour, day, month, weekday = fields_of(expression)
    return Rules(
        seconds=_bits(SECOND, second),
        minutes=_bits(MINUTE, minute),
        hours=_bits(HOUR, hour),
        months=_bits(MONTH, month),
        days=_days(day),
        weekdays=_weekdays(weekday),
        either=not (match_both_days or day.startswith(EVERY) or weekday.startswith(EVERY)),
        interval=any(mark in text for text in (second, minute, hour) for mark in "*?-/"),
    )


def _bits(field: Field, text: str) -> int:
    return sum({1 << number for item in text.split(",") for number in _numbers(field, item)})


def _numbers(field: Field, item: str) -> Iterator[int]:
    """The numbers of ``*``, ``5``, ``5-10``, ``22-2`` or any of them with a step; ``5/10`` goes on to the last."""
    parts = re.fullmatch(r"([*?]|[0-9A-Z]+)(?:-([0-9A-Z]+))?(?:/([0-9]+))?", item)
    if parts is None or (parts[1] in EVERY and parts[2]):
        raise field.error(f"{item!r} is not understood" if item else "a value is missing")
    low = field.first if parts[1] in EVERY else field.number(parts[1])
    high = field.number(parts[2]) if parts[2] else low
    step = field.within(int(parts[3]), 1, field.last, "step ") if parts[3] else 1
    if parts[1] in EVERY or (parts[3] and not parts[2]):
        high = field.last
    elif high < low:
        high += field.span
    for number in range(low, high + 1, step):
        yield (number - field.first) % field.span + field.first


def _days(text: str) -> Days:
    plain: list[str] = []
    sets: dict[str, set[int]] = {"from_end": set(), "near": set(), "near_from_end": set()}
    for item in text.split(","):
        if item != text and item.endswith("W"):
            raise DAY_OF_MONTH.error(f"{item!r} cannot be part of a list")
        if end := re.fullmatch("L(?:-([0-9]+))?(W?)", item):
            back = DAY_OF_MONTH.within(int(end[1] or 0), 0, 30, "L-")
            sets["near_from_end" if end[2] else "from_end"].add(back)
        elif near := re.fullmatch("([0-9]+)W", item):
            sets["near"].add(DAY_OF_MONTH.number(near[1]))
        else:
            plain.append(item)
    bits = _bits(DAY_OF_MONTH, ",".join(plain)) if plain else 0
    return Days(bits, **{name: frozenset(numbers) for name, numbers in sets.items()})


def _weekdays(text: str) -> Weekdays:
    plain: list[str] = []
    last: set[int] = set()
    nth: set[tuple[int, int]] = set()
    for item in text.split(","):
        if end := re.fullmatch("([0-9A-Z]+)L", item):
            last.add(DAY_OF_WEEK.number(end[1]) % 7)
        elif which := re.fullmatch("([0-9A-Z]+)#([0-9])", item):
            nth.add((DAY_OF_WEEK.number(which[1]) % 7, DAY_OF_WEEK.within(int(which[2]), 1, 5, "#")))
        else:
            plain.append(item)
    bits = _bits(DAY_OF_WEEK, ",".join(plain)) if plain else 0
    return Weekdays(bits, frozenset(last), frozenset(nth))
