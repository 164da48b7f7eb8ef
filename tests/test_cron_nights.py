"""When a schedule is due while clocks change, against tables and against a slow reading of the calendar."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from django_jobs.cron import Cron, CronError

pytestmark = pytest.mark.once

NEW_YORK, LORD_HOWE, SANTIAGO = "America/New_York", "Australia/Lord_Howe", "America/Santiago"
AMMAN, CASABLANCA, APIA, DUBLIN = "Asia/Amman", "Africa/Casablanca", "Pacific/Apia", "Europe/Dublin"
SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

# Zone, expression, after, and what follows.
NIGHTS = [
    # New York, 8 March 2026: 01:59 -0500 is followed by 03:00 -0400.
    (NEW_YORK, "59 1 * * *", "2026-03-07 12:00-05", ["08 01:59 -0500", "09 01:59 -0400"]),
    (NEW_YORK, "0 2 * * *", "2026-03-07 12:00-05", ["08 03:00 -0400", "09 02:00 -0400"]),
    (NEW_YORK, "30 2 * * *", "2026-03-07 12:00-05", ["08 03:00 -0400", "09 02:30 -0400"]),
    (NEW_YORK, "0,15,30 2 * * *", "2026-03-08 01:00-05", ["08 03:00 -0400", "09 02:00 -0400", "09 02:15 -0400"]),
    (NEW_YORK, "30 2,3 * * *", "2026-03-08 01:00-05", ["08 03:00 -0400", "08 03:30 -0400", "09 02:30 -0400"]),
    (NEW_YORK, "0 3 * * *", "2026-03-08 01:00-05", ["08 03:00 -0400", "09 03:00 -0400"]),
    (NEW_YORK, "30 2 * * SUN", "2026-03-07 12:00-05", ["08 03:00 -0400", "15 02:30 -0400"]),
    (NEW_YORK, "30 2 8 3 *", "2026-03-07 12:00-05", ["08 03:00 -0400", "08 02:30 -0500"]),
    (NEW_YORK, "*/30 * * * *", "2026-03-08 01:00-05", ["08 01:30 -0500", "08 03:00 -0400", "08 03:30 -0400"]),
    (NEW_YORK, "*/20 2 * * *", "2026-03-08 01:00-05", ["08 03:00 -0400", "09 02:00 -0400", "09 02:20 -0400"]),
    (NEW_YORK, "0 */2 * * *", "2026-03-08 00:00-05", ["08 03:00 -0400", "08 04:00 -0400", "08 06:00 -0400"]),
    (NEW_YORK, "30 * * * *", "2026-03-08 01:00-05", ["08 01:30 -0500", "08 03:00 -0400", "08 03:30 -0400"]),
    # New York, 1 November 2026: 01:59 -0400 is followed by 01:00 -0500.
    (NEW_YORK, "30 0 * * *", "2026-10-31 12:00-04", ["01 00:30 -0400", "02 00:30 -0500"]),
    (NEW_YORK, "0 1 * * *", "2026-10-31 12:00-04", ["01 01:00 -0400", "02 01:00 -0500"]),
    (NEW_YORK, "30 1 * * *", "2026-10-31 12:00-04", ["01 01:30 -0400", "02 01:30 -0500"]),
    (NEW_YORK, "0,30 1 * * *", "2026-10-31 12:00-04", ["01 01:00 -0400", "01 01:30 -0400", "02 01:00 -0500"]),
    (NEW_YORK, "0 2 * * *", "2026-10-31 12:00-04", ["01 02:00 -0500", "02 02:00 -0500"]),
    (NEW_YORK, "30 1 1 * *", "2026-10-31 12:00-04", ["01 01:30 -0400", "01 01:30 -0500"]),
    (NEW_YORK, "0 0,1 * * *", "2026-10-31 12:00-04", ["01 00:00 -0400", "01 01:00 -0400", "02 00:00 -0500"]),
    (NEW_YORK, "0 * * * *", "2026-11-01 00:30-04", ["01 01:00 -0400", "01 01:00 -0500", "01 02:00 -0500"]),
    (
        NEW_YORK,
        "*/30 1 * * *",
        "2026-11-01 00:59-04",
        ["01 01:00 -0400", "01 01:30 -0400", "01 01:00 -0500", "01 01:30 -0500", "02 01:00 -0500"],
    ),
    (NEW_YORK, "30 1-2 * * *", "2026-11-01 00:59-04", ["01 01:30 -0400", "01 01:30 -0500", "01 02:30 -0500"]),
    (NEW_YORK, "30 */1 * * *", "2026-11-01 01:00-04", ["01 01:30 -0400", "01 01:30 -0500", "01 02:30 -0500"]),
    (NEW_YORK, "0 */2 * * *", "2026-11-01 00:00-04", ["01 02:00 -0500", "01 04:00 -0500"]),
    (
        NEW_YORK,
        "*/30 0 1 * * *",
        "2026-11-01 00:59-04",
        ["01 01:00 -0400", "01 01:00 -0400", "01 01:00 -0500", "01 01:00 -0500", "02 01:00 -0500"],
    ),
    (NEW_YORK, "0/40 1 1 7,11 *", "2026-11-01 01:45-04", ["01 01:00 -0500", "01 01:40 -0500", "01 01:00 -0400"]),
    # Lord Howe: half an hour; 4 October 2026 01:59 +1030, 02:30 +1100; 5 April 2026 01:59 +1100, 01:30 +1030.
    (LORD_HOWE, "15 2 * * *", "2026-10-03 12:00+10", ["04 02:30 +1100", "05 02:15 +1100"]),
    (LORD_HOWE, "45 2 * * *", "2026-10-03 12:00+10", ["04 02:45 +1100", "05 02:45 +1100"]),
    (LORD_HOWE, "*/15 * * * *", "2026-10-04 01:40+10:30", ["04 01:45 +1030", "04 02:30 +1100", "04 02:45 +1100"]),
    (LORD_HOWE, "45 1 * * *", "2026-04-04 12:00+11", ["05 01:45 +1100", "06 01:45 +1030"]),
    (
        LORD_HOWE,
        "*/15 * * * *",
        "2026-04-05 01:15+11",
        ["05 01:30 +1100", "05 01:45 +1100", "05 01:30 +1030", "05 01:45 +1030", "05 02:00 +1030"],
    ),
    (LORD_HOWE, "15 * * * *", "2026-04-05 01:00+11", ["05 01:15 +1100", "05 02:15 +1030"]),
    # Santiago: at midnight; 3 September 2023 begins at 01:00 -0300; 1 April 2023 has 23:00 to 23:59 twice.
    (SANTIAGO, "0 0 * * *", "2023-09-02 12:00-04", ["03 01:00 -0300", "04 00:00 -0300"]),
    (SANTIAGO, "30 0 * * SUN", "2023-09-02 12:00-04", ["03 01:00 -0300", "10 00:30 -0300"]),
    (SANTIAGO, "@daily", "2023-09-01 12:00-04", ["02 00:00 -0400", "03 01:00 -0300", "04 00:00 -0300"]),
    (SANTIAGO, "30 23 * * *", "2023-04-01 12:00-03", ["01 23:30 -0300", "02 23:30 -0400"]),
    (
        SANTIAGO,
        "*/30 * * * *",
        "2023-04-01 23:00-03",
        ["01 23:30 -0300", "01 23:00 -0400", "01 23:30 -0400", "02 00:00 -0400"],
    ),
    (SANTIAGO, "0 0 * * *", "2023-04-01 12:00-03", ["02 00:00 -0400", "03 00:00 -0400"]),
    # Amman: on Fridays at midnight; 30 March 2018 begins at 01:00 +0300; 31 October 2014 has 00:00 to 00:59 twice.
    (AMMAN, "30 0 LW * *", "2018-03-29 12:00+02", ["30 01:00 +0300", "30 00:30 +0300"]),
    (AMMAN, "30 0 L * *", "2017-03-30 12:00+02", ["31 01:00 +0300", "30 00:30 +0300"]),
    (AMMAN, "30 0 L * *", "2014-10-30 12:00+03", ["31 00:30 +0300", "30 00:30 +0200"]),
    (AMMAN, "30 * * * FRI", "2014-10-31 00:00+03", ["31 00:30 +0300", "31 00:30 +0200", "31 01:30 +0200"]),
    (AMMAN, "30 0 * * *", "2022-10-27 12:00+03", ["28 00:30 +0300", "29 00:30 +0300"]),
    # Casablanca: back for Ramadan, 19 March 2023 at 03:00 +0100; forward after it, 23 April 2023 at 02:00 +0000.
    (CASABLANCA, "30 2 * * *", "2023-03-18 12:00+01", ["19 02:30 +0100", "20 02:30 +0000"]),
    (
        CASABLANCA,
        "*/30 * * * *",
        "2023-03-19 02:00+01",
        ["19 02:30 +0100", "19 02:00 +0000", "19 02:30 +0000", "19 03:00 +0000"],
    ),
    (CASABLANCA, "30 2 * * *", "2023-04-22 12:00+00", ["23 03:00 +0100", "24 02:30 +0100"]),
    # Dublin, where winter is the exception: 25 October 2026, 01:00 to 01:59 twice.
    (DUBLIN, "30 1 * * *", "2026-10-24 12:00+01", ["25 01:30 +0100", "26 01:30 +0000"]),
    (DUBLIN, "0 * * * *", "2026-10-25 00:30+01", ["25 01:00 +0100", "25 01:00 +0000", "25 02:00 +0000"]),
    # Apia: no 30 December 2011.
    (
        APIA,
        "0 12 * * *",
        "2011-12-29 00:00-10",
        ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400", "01 12:00 +1400"],
    ),
    (APIA, "0 12 30 * *", "2011-12-01 00:00-10", ["31 00:00 +1400", "30 12:00 +1400"]),
    (APIA, "0 0 * * FRI", "2011-12-24 00:00-10", ["31 00:00 +1400", "06 00:00 +1400"]),
    (APIA, "0 * * * *", "2011-12-29 22:30-10", ["29 23:00 -1000", "31 00:00 +1400", "31 01:00 +1400"]),
    # EST, an old name that stands still.
    ("EST", "30 2 * * *", "2026-03-07 12:00-05", ["08 02:30 -0500", "09 02:30 -0500"]),
    ("EST", "30 1 * * *", "2026-10-31 12:00-05", ["01 01:30 -0500", "02 01:30 -0500"]),
]


@pytest.mark.parametrize(("zone", "expression", "after", "expected"), NIGHTS)
def test_nights(zone: str, expression: str, after: str, expected: list[str]) -> None:
    cron = Cron(expression, zone)
    found = list(islice(cron.iter(datetime.fromisoformat(with_minutes(after))), len(expected)))
    assert [f"{moment:%d %H:%M %z}" for moment in found] == expected
    assert list(islice(backwards(cron, found[-1] + SECOND), len(found)))[::-1] == instants(found)


def with_minutes(text: str) -> str:
    return text if text[-3] == ":" else f"{text}:00"


def instants(moments: list[datetime]) -> list[datetime]:
    """In UTC: Python finds no time of another zone equal to one that a clock shows twice."""
    return [moment.astimezone(UTC) for moment in moments]


def backwards(cron: Cron, before: datetime) -> Iterator[datetime]:
    moment = cron.previous(before.astimezone(UTC))
    while moment is not None:
        yield moment.astimezone(UTC)
        moment = cron.previous(moment)


def documented() -> list[tuple[str, ...]]:
    """The rows of the table of nights in the reference."""
    page = Path(__file__).parent.parent / "docs" / "reference" / "cron.md"
    rows = re.findall(r"^\| `(.+)` \| (.*−.*) \| (.*−.*) \|$", page.read_text(), re.MULTILINE)
    assert len(rows) == 7
    return rows


@pytest.mark.parametrize(("expression", "spring", "autumn"), documented())
def test_the_nights_of_the_documentation(expression: str, spring: str, autumn: str) -> None:
    cron, zone = Cron(expression, NEW_YORK), ZoneInfo(NEW_YORK)
    for night, told in ((date(2026, 3, 8), spring), (date(2026, 11, 1), autumn)):
        begin, end = (datetime.combine(night, each, zone).astimezone(UTC) for each in (time(0, 59), time(3, 30)))
        found = [moment for moment in islice(cron.iter(begin), 9) if moment.astimezone(UTC) < end]
        hours = [(moment.utcoffset() or DAY) // timedelta(hours=1) for moment in found]
        assert ", ".join(f"{run:%H:%M} −{-hour}" for run, hour in zip(found, hours, strict=True)) == told


# Asked from times that a clock shows twice, or never

ASKED = [
    ("*/30 * * * *", "2026-11-01 01:30", 0, "01 01:00 -0500", "01 01:00 -0400"),
    ("*/30 * * * *", "2026-11-01 01:30", 1, "01 02:00 -0500", "01 01:00 -0500"),
    ("*/30 * * * *", "2026-11-01 01:00", 1, "01 01:30 -0500", "01 01:30 -0400"),
    ("30 1 * * *", "2026-11-01 01:30", 0, "02 01:30 -0500", "31 01:30 -0400"),
    ("30 1 * * *", "2026-11-01 01:30", 1, "02 01:30 -0500", "01 01:30 -0400"),
    ("45 1 * * *", "2026-11-01 01:30", 1, "02 01:45 -0500", "01 01:45 -0400"),
    ("15 1 * * *", "2026-11-01 01:30", 1, "02 01:15 -0500", "01 01:15 -0400"),
    ("0 2 * * *", "2026-11-01 01:59", 0, "01 02:00 -0500", "31 02:00 -0400"),
    # 02:30 does not exist: read with the offset before it is 03:30 -0400, with the one after it 01:30 -0500.
    ("*/30 * * * *", "2026-03-08 02:30", 0, "08 04:00 -0400", "08 03:00 -0400"),
    ("*/30 * * * *", "2026-03-08 02:30", 1, "08 03:00 -0400", "08 01:00 -0500"),
    ("45 2 * * *", "2026-03-08 02:30", 0, "09 02:45 -0400", "08 03:00 -0400"),
    ("45 2 * * *", "2026-03-08 02:30", 1, "08 03:00 -0400", "07 02:45 -0500"),
    ("45 2 * * *", "2026-03-08 03:00", 0, "09 02:45 -0400", "07 02:45 -0500"),
]


@pytest.mark.parametrize(("expression", "asked", "fold", "following", "preceding"), ASKED)
def test_asked_from_a_time_that_a_clock_shows_twice_or_never(
    expression: str, asked: str, fold: int, following: str, preceding: str
) -> None:
    cron = Cron(expression, NEW_YORK)
    moment = datetime.fromisoformat(asked).replace(tzinfo=ZoneInfo(NEW_YORK), fold=fold)
    assert f"{cron.next(moment):%d %H:%M %z}" == following
    assert f"{cron.previous(moment):%d %H:%M %z}" == preceding


# Against a slow reading: every minute or second of a stretch is looked at.

Fits = Callable[[datetime], bool]


def listed(text: str, first: int, last: int, *, steps_to: int = 0) -> set[int]:
    """The numbers of a field, read item by item."""
    numbers: set[int] = set()
    for item in text.split(","):
        body, _, step = item.partition("/")
        low, _, high = body.partition("-")
        start = first if low == "*" else int(low)
        end = int(high) if high else ((steps_to or last) if low == "*" or step else start)
        walk = list(range(start, end + 1)) if start <= end else [*range(start, last + 1), *range(first, end + 1)]
        numbers |= set(walk[:: int(step or 1)])
    return numbers


def fits_day_of_month(text: str, day: date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if text.startswith("L") or text.endswith("W"):
        back = int(text.strip("LW").strip("-") or 0)
        wanted = length - back if text.startswith("L") else back
        if not 1 <= wanted <= length:
            return False
        target = day.replace(day=wanted)
        if text.endswith("W"):
            working = (day.replace(day=number) for number in range(1, length + 1))
            days = [each for each in working if each.isoweekday() < 6]
            target = min(days, key=lambda each: abs((each - target).days))
        return day == target
    return day.day in listed(text, 1, 31)


def fits_day_of_week(text: str, day: date) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    if text.endswith("L"):
        return day.isoweekday() % 7 == int(text[:-1]) % 7 and day.day + 7 > length
    if "#" in text:
        weekday, number = text.split("#")
        return day.isoweekday() % 7 == int(weekday) % 7 and (day.day - 1) // 7 + 1 == int(number)
    return day.isoweekday() % 7 in {number % 7 for number in listed(text, 0, 6, steps_to=7)}


def slowly(expression: str, *, both: bool = False) -> Fits:
    """Whether a wall clock that shows this time shows what the expression says."""
    second, minute, hour, day, month, weekday = ["0", *expression.split()][-6:]
    seconds, minutes, hours = listed(second, 0, 59), listed(minute, 0, 59), listed(hour, 0, 23)
    months = listed(month, 1, 12)
    join = all if both or day.startswith("*") or weekday.startswith("*") else any

    def fits(wall: datetime) -> bool:
        return (
            wall.second in seconds
            and wall.minute in minutes
            and wall.hour in hours
            and wall.month in months
            and join((fits_day_of_month(day, wall.date()), fits_day_of_week(weekday, wall.date())))
        )

    return fits


def looked_at(cron: Cron, fits: Fits, begin: datetime, end: datetime, step: timedelta) -> list[datetime]:
    """The instants from `begin` until before `end` at which the schedule is due, found by looking at all of them."""
    zone, found = ZoneInfo(cron.time_zone), []
    repeats = any(mark in field for field in ["0", *cron.expression.split()][-6:-3] for mark in "*-/")
    shown = (begin - step).astimezone(zone).replace(tzinfo=None)
    moment = begin
    while moment < end:
        local = moment.astimezone(zone)
        wall = local.replace(tzinfo=None, fold=0)
        due = fits(wall) and (repeats or not local.fold)
        missed = shown.replace(fold=0) + step
        while missed < wall and not due:
            due, missed = fits(missed), missed + step
        if due:
            found.append(moment)
        shown, moment = wall, moment + step
    return found


CHANGES = [
    (NEW_YORK, "2026-03-08 07:00"),
    (NEW_YORK, "2026-11-01 06:00"),
    (LORD_HOWE, "2026-04-04 15:00"),
    (LORD_HOWE, "2026-10-03 15:30"),
    (SANTIAGO, "2023-04-02 03:00"),
    (SANTIAGO, "2023-09-03 04:00"),
    (AMMAN, "2018-03-29 22:00"),
    (AMMAN, "2014-10-30 22:00"),
    (CASABLANCA, "2023-03-19 02:00"),
    (CASABLANCA, "2023-04-23 02:00"),
    (DUBLIN, "2026-10-25 01:00"),
    (APIA, "2011-12-30 10:00"),
    ("America/Caracas", "2007-12-09 07:00"),
    ("Asia/Kathmandu", "2026-06-01 00:00"),
]


def field(first: int, last: int, *, extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    step = st.integers(1, last)
    item = st.one_of(
        number.map(str),
        st.tuples(number, number).map("{0[0]}-{0[1]}".format),
        st.tuples(number, step).map("{0[0]}/{0[1]}".format),
        st.tuples(number, number, step).map("{0[0]}-{0[1]}/{0[2]}".format),
    )
    return st.one_of(
        st.just("*"),
        step.map("*/{}".format),
        st.lists(item, min_size=1, max_size=4).map(",".join),
        *[st.sampled_from(extra)] * bool(extra),
    )


DAYS = field(1, 31, extra=("L", "LW", "L-3", "L-30", "1W", "15W", "31W", "L-2W", "L-29W"))
WEEKDAYS = field(0, 6, extra=("0L", "5L", "7L", "1#1", "3#3", "6#5", "7#2"))


@settings(max_examples=150, deadline=None)
@given(minute=field(0, 59), hour=field(0, 23), change=st.sampled_from(CHANGES))
@example(minute="30", hour="1", change=CHANGES[1])
@example(minute="0", hour="0", change=CHANGES[11])
def test_every_minute_around_a_change(minute: str, hour: str, change: tuple[str, str]) -> None:
    zone, at = change
    middle = datetime.fromisoformat(at).replace(tzinfo=UTC)
    compare(Cron(f"{minute} {hour} * * *", zone), middle - DAY / 4, middle + DAY / 4, MINUTE)


@settings(max_examples=60, deadline=None)
@given(second=field(0, 59), minute=field(0, 59), change=st.sampled_from(CHANGES))
def test_every_second_around_a_change(second: str, minute: str, change: tuple[str, str]) -> None:
    zone, at = change
    middle = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assume(zone != APIA)  # a day of seconds
    compare(Cron(f"{second} {minute} * * * *", zone), middle - 5 * MINUTE, middle + 5 * MINUTE, SECOND)


def compare(cron: Cron, begin: datetime, end: datetime, step: timedelta) -> None:
    expected = looked_at(cron, slowly(cron.expression), begin, end, step)
    onward, back = [], []
    moment = cron.next(begin - SECOND)
    while moment is not None and moment.astimezone(UTC) < end:
        onward.append(moment.astimezone(UTC))
        moment = cron.next(moment)
    for instant in backwards(cron, end):
        if instant < begin:
            break
        back.append(instant)
    assert onward == expected
    assert back[::-1] == expected


@settings(max_examples=300, deadline=None)
@given(
    day=DAYS,
    month=field(1, 12),
    weekday=WEEKDAYS,
    both=st.booleans(),
    start=st.dates(date(1990, 1, 1), date(2110, 1, 1)),
)
@example(day="29", month="2", weekday="*", both=False, start=date(2097, 1, 1))
def test_every_day_of_some_years(day: str, month: str, weekday: str, both: bool, start: date) -> None:
    expression = f"0 12 {day} {month} {weekday}"
    cron, fits = Cron(expression, match_both_days=both), slowly(expression, both=both)
    noon = datetime(start.year, start.month, start.day, 12, tzinfo=UTC)
    later = (noon + number * DAY for number in range(1, 1200))
    earlier = (noon - number * DAY for number in range(1, 1200))
    following, preceding = cron.next(noon), cron.previous(noon)
    assert next((each for each in later if fits(each)), None) == (
        following if following and following < noon + 1200 * DAY else None
    )
    assert next((each for each in earlier if fits(each)), None) == (
        preceding if preceding and preceding > noon - 1200 * DAY else None
    )


@settings(max_examples=300, deadline=None)
@given(
    expression=st.tuples(field(0, 59), field(0, 23), DAYS, field(1, 12), WEEKDAYS).map(" ".join),
    zone=st.sampled_from([NEW_YORK, LORD_HOWE, SANTIAGO, AMMAN, CASABLANCA, APIA, "Asia/Kolkata"]),
    asked=st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)),
    fold=st.sampled_from([0, 1]),
)
def test_times_only_rise_and_next_and_previous_mirror_each_other(
    expression: str, zone: str, asked: datetime, fold: int
) -> None:
    cron = Cron(expression, zone)
    moment = asked.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
    rising = [moment, *instants(list(islice(cron.iter(moment), 5)))]
    assert all(earlier < later for earlier, later in pairwise(rising))
    for earlier, later in pairwise(rising[1:]):
        assert next(backwards(cron, later)) == earlier
        assert instants(list(islice(cron.iter(later - SECOND), 1))) == [later]
    if len(rising) > 1 and (before := next(backwards(cron, rising[1]), None)):
        assert before <= moment
        assert instants(list(islice(cron.iter(before), 1))) == [rising[1]]


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(), st.text("0123456789*?/-,#LWSUNFRI @daily\t", max_size=40)))
def test_any_text_is_understood_or_refused(text: str) -> None:
    cron = None
    with suppress(CronError):
        cron = Cron(text)
    if cron is not None:
        assert Cron(str(cron)) == cron
        assert cron.describe()
