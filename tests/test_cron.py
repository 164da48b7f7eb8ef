"""When a schedule is due: grammar, errors, calendar, and the schedules that people really wrote."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from django_jobs.cron import Cron, CronError, words
from django_jobs.exceptions import JobsError

pytestmark = pytest.mark.once

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """An aware datetime, in UTC unless the text has an offset."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def runs(cron: Cron, after: str, count: int, form: str = "%Y-%m-%d %H:%M") -> list[str]:
    return [moment.strftime(form) for moment in islice(cron.iter(at(after)), count)]


# The calendar

CALENDAR = [
    # The last day of the month, leap years among them.
    (
        "0 23 L * *",
        "2027-12-31 12:00",
        ["2027-12-31 23:00", "2028-01-31 23:00", "2028-02-29 23:00", "2028-03-31 23:00"],
    ),
    ("0 23 L 2 *", "2096-01-01", ["2096-02-29 23:00", "2097-02-28 23:00", "2098-02-28 23:00", "2099-02-28 23:00"]),
    ("0 0 L-3 * *", "2027-01-30", ["2027-02-25 00:00", "2027-03-28 00:00", "2027-04-27 00:00"]),
    ("0 0 L-29 * *", "2027-01-03", ["2027-03-02 00:00", "2027-04-01 00:00", "2027-05-02 00:00"]),
    ("0 0 15,L * *", "2027-01-16", ["2027-01-31 00:00", "2027-02-15 00:00", "2027-02-28 00:00"]),
    # Working days: 1 May 2027 is a Saturday, 31 October 2027 a Sunday.
    ("0 9 1W * *", "2027-04-30 12:00", ["2027-05-03 09:00", "2027-06-01 09:00", "2027-07-01 09:00"]),
    ("0 9 LW * *", "2027-10-01", ["2027-10-29 09:00", "2027-11-30 09:00", "2027-12-31 09:00"]),
    ("0 9 15W * *", "2027-05-01", ["2027-05-14 09:00", "2027-06-15 09:00", "2027-07-15 09:00", "2027-08-16 09:00"]),
    ("0 9 31W * *", "2027-10-01", ["2027-10-29 09:00", "2027-12-31 09:00", "2028-01-31 09:00", "2028-03-31 09:00"]),
    ("0 9 L-1W * *", "2027-10-01", ["2027-10-29 09:00", "2027-11-29 09:00", "2027-12-30 09:00"]),
    # Weekdays.
    ("0 9 * * 5L", "2027-01-01", ["2027-01-29 09:00", "2027-02-26 09:00", "2027-03-26 09:00"]),
    ("0 9 * * friL", "2027-01-01", ["2027-01-29 09:00", "2027-02-26 09:00", "2027-03-26 09:00"]),
    ("0 9 * * TUE#2", "2027-01-01", ["2027-01-12 09:00", "2027-02-09 09:00", "2027-03-09 09:00"]),
    ("0 9 * * 2#5", "2027-01-01", ["2027-03-30 09:00", "2027-06-29 09:00", "2027-08-31 09:00"]),
    ("0 9 * * MON#1,MON#3", "2027-01-01", ["2027-01-04 09:00", "2027-01-18 09:00", "2027-02-01 09:00"]),
    ("0 9 * * 0", "2027-01-01", ["2027-01-03 09:00", "2027-01-10 09:00"]),
    ("0 9 * * 7", "2027-01-01", ["2027-01-03 09:00", "2027-01-10 09:00"]),
    (
        "0 9 * * SAT-MON",
        "2027-01-01 12:00",
        ["2027-01-02 09:00", "2027-01-03 09:00", "2027-01-04 09:00", "2027-01-09 09:00"],
    ),
    (
        "0 9 * * 5-7",
        "2027-01-03 12:00",
        ["2027-01-08 09:00", "2027-01-09 09:00", "2027-01-10 09:00", "2027-01-15 09:00"],
    ),
    # Leap days, past a century that has none.
    ("0 0 29 2 *", "2095-01-01", ["2096-02-29 00:00", "2104-02-29 00:00", "2108-02-29 00:00"]),
    ("0 0 29 FEB MON#5", "2026-01-01", ["2028-02-29 00:00", "2032-02-29 00:00", "2036-02-29 00:00"]),
    # Ranges that go round, steps, seconds.
    (
        "0 22-2 * * *",
        "2027-01-01 21:00",
        ["2027-01-01 22:00", "2027-01-01 23:00", "2027-01-02 00:00", "2027-01-02 01:00"],
    ),
    (
        "0 22-3/2 * * *",
        "2027-01-01 21:00",
        ["2027-01-01 22:00", "2027-01-02 00:00", "2027-01-02 02:00", "2027-01-02 22:00"],
    ),
    ("56-4/4 * * * *", "2027-01-01 09:00", ["2027-01-01 09:04", "2027-01-01 09:56", "2027-01-01 10:00"]),
    (
        "0 0 30-2 * *",
        "2027-01-29 12:00",
        ["2027-01-30 00:00", "2027-01-31 00:00", "2027-02-01 00:00", "2027-02-02 00:00", "2027-03-01 00:00"],
    ),
    ("0 0 1 NOV-feb *", "2027-01-15", ["2027-02-01 00:00", "2027-11-01 00:00", "2027-12-01 00:00", "2028-01-01 00:00"]),
    ("5/10 * * * *", "2027-01-01 09:40", ["2027-01-01 09:45", "2027-01-01 09:55", "2027-01-01 10:05"]),
    ("0 0 * * 1/2", "2027-01-01", ["2027-01-03 00:00", "2027-01-04 00:00", "2027-01-06 00:00", "2027-01-08 00:00"]),
    ("? ? ? ? ?", "2027-01-01 09:00", ["2027-01-01 09:01", "2027-01-01 09:02"]),
    # Day of month and day of week: either, unless one of them begins with a star.
    ("5 5 5 5 5", "2026-05-02", ["2026-05-05 05:05", "2026-05-08 05:05", "2026-05-15 05:05"]),
    ("0 0 */2 * MON", "2026-05-02", ["2026-05-11 00:00", "2026-05-25 00:00", "2026-06-01 00:00"]),
    ("0 0 13 * *", "2026-05-02", ["2026-05-13 00:00", "2026-06-13 00:00"]),
]


@pytest.mark.parametrize(("expression", "after", "expected"), CALENDAR)
def test_the_calendar(expression: str, after: str, expected: list[str]) -> None:
    cron = Cron(expression)
    assert runs(cron, after, len(expected)) == expected
    back, moment = [], cron.next(at(after))
    for _ in expected[1:]:
        moment = cron.next(moment or datetime.max)
    while len(back) < len(expected) and moment is not None:
        back.append(moment.strftime("%Y-%m-%d %H:%M"))
        moment = cron.previous(moment)
    assert back[::-1] == expected


def test_both_days_must_fit_by_option() -> None:
    assert runs(Cron("5 5 5 5 5", match_both_days=True), "2017-05-05 05:05", 2) == [
        "2023-05-05 05:05",
        "2028-05-05 05:05",
    ]
    assert runs(Cron("0 0 13 * FRI", match_both_days=True), "2026-01-01", 3) == [
        "2026-02-13 00:00",
        "2026-03-13 00:00",
        "2026-11-13 00:00",
    ]


@pytest.mark.parametrize(
    ("macro", "expected"),
    [
        ("@every_second", "2026-05-01 12:30:16"),
        ("@every_minute", "2026-05-01 12:31:00"),
        ("@hourly", "2026-05-01 13:00:00"),
        ("@daily", "2026-05-02 00:00:00"),
        (" @Midnight ", "2026-05-02 00:00:00"),
        ("@weekly", "2026-05-03 00:00:00"),
        ("@monthly", "2026-06-01 00:00:00"),
        ("@yearly", "2027-01-01 00:00:00"),
        ("@ANNUALLY", "2027-01-01 00:00:00"),
    ],
)
def test_names_for_whole_expressions(macro: str, expected: str) -> None:
    assert runs(Cron(macro), "2026-05-01 12:30:15", 1, "%Y-%m-%d %H:%M:%S") == [expected]


@pytest.mark.parametrize(
    ("cron", "expression"),
    [
        (Cron.minutely(), "* * * * *"),
        (Cron.hourly(), "0 * * * *"),
        (Cron.hourly(15), "15 * * * *"),
        (Cron.daily(), "0 0 * * *"),
        (Cron.daily(2), "0 2 * * *"),
        (Cron.daily(2, 30), "30 2 * * *"),
        (Cron.weekly(), "0 0 * * MON"),
        (Cron.weekly("sunday"), "0 0 * * SUN"),
        (Cron.weekly("Fri", 17, 5), "5 17 * * FRI"),
        (Cron.weekly(0), "0 0 * * 0"),
        (Cron.monthly(), "0 0 1 * *"),
        (Cron.monthly(1, 6), "0 6 1 * *"),
        (Cron.monthly("L", 23), "0 23 L * *"),
        (Cron.yearly(), "0 0 1 1 *"),
        (Cron.yearly("february", 29, 8, 1), "1 8 29 FEB *"),
        (Cron.never(), "0 0 31 2 *"),
    ],
)
def test_helpers_write_the_expression(cron: Cron, expression: str) -> None:
    assert str(cron) == expression
    assert cron == Cron(expression)
    assert cron.time_zone == "UTC"


def test_a_helper_takes_a_zone() -> None:
    assert Cron.daily(2, time_zone="Asia/Kolkata") == Cron("0 2 * * *", "Asia/Kolkata")


# Never, far away, and at the ends of time


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 30 2 *",
        "0 0 31 2,4,6,9,11 *",
        "0 0 L-30 2,4 *",
        "0 0 30W 2 *",
        "* * * 31 4 *",
    ],
)
def test_a_day_that_never_comes(expression: str) -> None:
    cron = Cron(expression)
    assert cron.next(at("2026-01-01")) is None
    assert cron.previous(at("2026-01-01")) is None
    assert list(cron.iter(at("2026-01-01"))) == []


@pytest.mark.parametrize(
    "expression", ["0 0 1 * SUN#2", "0 0 LW * SAT", "0 0 L 3-12 4#4", "0 0 28 * SUN#5", "0 0 21 * 7L"]
)
def test_two_days_that_never_meet(expression: str) -> None:
    assert Cron(expression, match_both_days=True).next(at("2026-01-01")) is None
    assert Cron(expression).next(at("2026-01-01")) is not None


def test_far_away_is_found() -> None:
    rare = Cron("0 0 29 2 1", match_both_days=True)
    assert runs(rare, "2028-01-01", 3) == ["2044-02-29 00:00", "2072-02-29 00:00", "2112-02-29 00:00"]
    assert rare.previous(at("2044-02-29")) == at("2016-02-29")


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
def test_the_ends_of_the_calendar(zone: str) -> None:
    cron = Cron("0 0 1 1 *", zone)
    last = datetime.max.replace(tzinfo=UTC)
    first = datetime.min.replace(tzinfo=UTC)
    assert cron.next(last) is None
    assert cron.previous(first) is None
    assert len(list(cron.iter(at("9990-06-01")))) == 8
    assert [moment.year for moment in islice(cron.iter(first), 2)] in ([2, 3], [3, 4])
    previous = cron.previous(last)
    assert previous is not None
    assert previous.year in (9998, 9999)
    assert Cron("* * * * * *", zone).next(datetime.max.replace(tzinfo=NEW_YORK)) is None


# Asking


def test_the_given_time_is_excluded() -> None:
    noon = at("2026-05-01 12:00")
    assert Cron.daily(12).next(noon) == at("2026-05-02 12:00")
    assert Cron.daily(12).previous(noon) == at("2026-04-30 12:00")


def test_fractions_of_a_second() -> None:
    cron = Cron("* * * * * *")
    assert cron.next(at("2026-05-01 12:00:00.999999")) == at("2026-05-01 12:00:01")
    assert cron.next(at("2026-05-01 12:00:00.000001")) == at("2026-05-01 12:00:01")
    assert cron.previous(at("2026-05-01 12:00:00.000001")) == at("2026-05-01 12:00:00")
    assert cron.previous(at("2026-05-01 12:00:00")) == at("2026-05-01 11:59:59")
    assert Cron.daily().next(at("2026-05-01 23:59:59.5")) == at("2026-05-02")


def test_the_answer_is_in_the_zone_of_the_schedule_whatever_was_asked_in() -> None:
    cron = Cron("0 2 * * *", "Asia/Kolkata")
    for after in (at("2026-05-01 12:00"), at("2026-05-01 08:00-04:00"), at("2026-05-01 12:00").astimezone(NEW_YORK)):
        found = cron.next(after)
        assert found is not None
        assert found.isoformat() == "2026-05-02T02:00:00+05:30"
        assert found.tzinfo == ZoneInfo("Asia/Kolkata")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(CronError, match="after: 2026-05-01 00:00:00 has no time zone; give an aware datetime"):
        Cron.daily().next(datetime(2026, 5, 1))
    with pytest.raises(CronError, match="before: "):
        Cron.daily().previous(datetime(2026, 5, 1))
    with pytest.raises(TypeError, match="date is not a datetime"):
        Cron.daily().next(date(2026, 5, 1))  # type: ignore[arg-type]


# Looks


def test_what_is_written_differently_is_equal_if_it_means_the_same() -> None:
    assert Cron("@daily") == Cron(" 0  0\t* * ? ") == Cron("0 0 0 * * *") == Cron.daily()
    assert len({Cron("@weekly"), Cron("0 0 * * 7"), Cron("0 0 * * sun")}) == 1
    assert Cron.daily() != Cron.daily(time_zone="Asia/Kolkata")
    assert Cron("0 0 1 * 1") != Cron("0 0 1 * 1", match_both_days=True)
    assert Cron.daily() != "0 0 * * *"


def test_repr_makes_it_again() -> None:
    cron = Cron("0 0  1 * mon", "Asia/Kolkata", match_both_days=True)
    assert repr(cron) == "Cron('0 0 1 * mon', 'Asia/Kolkata', match_both_days=True)"
    assert eval(repr(cron)) == cron
    assert repr(Cron.daily(2)) == "Cron('0 2 * * *', 'UTC')"


def test_it_can_be_pickled() -> None:
    cron = Cron("0 0 L * *", "Australia/Lord_Howe")
    copy = pickle.loads(pickle.dumps(cron))
    assert copy == cron
    assert copy.next(at("2026-04-01")) == cron.next(at("2026-04-01"))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 2 * * *", "At 02:00"),
        ("@daily", "At 00:00"),
        ("? ? ? ? ?", "Every minute"),
        ("*/5 * * * * *", "Every 5 seconds"),
        ("0 23 L * *", "At 23:00, on the last day of the month"),
        ("0-59 * * * MON,TUE,WED,THU,FRI", "Every minute, only on Monday, Tuesday, Wednesday, Thursday, and Friday"),
        ("0 9 * * TUE#2", "At 09:00, on the second Tuesday of the month"),
        ("5 5 5 5 5", "At 05:05, on day 5 of the month, or on Friday, only in May"),
        ("0 0 * * 1/2", "At 00:00, only on Sunday, Monday, Wednesday, and Friday"),
        # What the library would tell wrongly is left as it is.
        ("0 0 L-3W * *", "0 0 L-3W * *"),
        ("0 0 15,L * *", "0 0 15,L * *"),
        ("0 0 * * MON#1,MON#3", "0 0 * * MON#1,MON#3"),
        ("0 0 */2 * MON", "0 0 */2 * MON"),
    ],
)
def test_in_words(expression: str, expected: str) -> None:
    assert Cron(expression).describe() == expected


def test_in_words_of_another_language() -> None:
    assert Cron("0 2 * * *").describe("de") == "Um 02:00"
    assert Cron("0 2 * * *").describe("pt-br") == "Às 02:00"
    assert Cron("0 2 * * MON").describe("zh-hant") == Cron("0 2 * * MON").describe("zh-tw")
    assert Cron("0 2 * * MON").describe("zh-hans") == Cron("0 2 * * MON").describe("zh-cn") != "At 02:00"
    assert Cron("0 2 * * *").describe("hi") == Cron("0 2 * * *").describe("xx") == "At 02:00"


def test_both_days_are_not_told_as_either() -> None:
    assert Cron("5 5 5 5 5", match_both_days=True).describe() == "5 5 5 5 5"


def test_without_the_library_the_expression_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "cron_descriptor", None)
    assert Cron("0  2 * * *").describe() == "0 2 * * *"


# Errors

ERRORS = [
    ("60 * * * *", "minute", "60 is not between 0 and 59"),
    ("0 25 * * *", "hour", "25 is not between 0 and 23"),
    ("60 * * * * *", "second", "60 is not between 0 and 59"),
    ("* * 0 * *", "day of month", "0 is not between 1 and 31"),
    ("* * 10-32 * *", "day of month", "32 is not between 1 and 31"),
    ("* * * 13 *", "month", "13 is not between 1 and 12"),
    ("* * * * 8", "day of week", "8 is not between 0 and 7"),
    ("*/60 * * * *", "minute", "step 60 is not between 1 and 59"),
    ("1/0 * * * *", "minute", "step 0 is not between 1 and 59"),
    ("* 1/24 * * *", "hour", "step 24 is not between 1 and 23"),
    ("* * L-31 * *", "day of month", "L-31 is not between 0 and 30"),
    ("* * 32W * *", "day of month", "32 is not between 1 and 31"),
    ("* * * * 5#6", "day of week", "#6 is not between 1 and 5"),
    ("* * * * 0#0", "day of week", "#0 is not between 1 and 5"),
    ("* * * * 9L", "day of week", "9 is not between 0 and 7"),
    ("* * * FOO *", "month", "'FOO' is not known; expected 1-12 or JAN-DEC"),
    ("* * * * SUT", "day of week", "'SUT' is not known; expected 0-7 or SUN-SAT"),
    ("* * * * SUNDAY", "day of week", "'SUNDAY' is not known"),
    ("* * MON * *", "day of month", "'MON' is not known; expected 1-31"),
    ("* * * * L", "day of week", "'L' is not known"),
    ("* * W * *", "day of month", "'W' is not known"),
    ("H * * * *", "minute", "'H' is not known"),
    ("L * * * *", "minute", "'L' is not known"),
    ("-1 * * * *", "minute", "'-1' is not understood"),
    ("5- * * * *", "minute", "'5-' is not understood"),
    ("*/ * * * *", "minute", "'*/' is not understood"),
    ("/5 * * * *", "minute", "'/5' is not understood"),
    ("*-5 * * * *", "minute", "'*-5' is not understood"),
    ("*#1 * * * *", "minute", "'*#1' is not understood"),
    ("1.5 * * * *", "minute", "'1.5' is not understood"),
    ("١ * * * *", "minute", "'١' is not understood"),
    ("* * 1-2W * *", "day of month", "'2W' is not known"),
    ("* * 1,2W * *", "day of month", "'2W' cannot be part of a list"),
    ("* * 1LW * *", "day of month", "'1LW' is not known"),
    ("* * * * SUN#050", "day of week", "'SUN#050' is not understood"),
    ("1,,2 * * * *", "minute", "a value is missing"),
    (",1 * * * *", "minute", "a value is missing"),
    ("", "cron", "0 fields in ''; expected 5 (minute, hour, day of month, month, day of week)"),
    ("* * * *", "cron", "4 fields in '* * * *'; expected 5"),
    ("* * * * * * 2027", "cron", "7 fields"),
    ("@reboot", "cron", "'@reboot' is not known; expected one of @annually, @daily,"),
    ("@daily x", "cron", "'@daily x' is not known"),
    ("1," * 600 + "1 * * * *", "cron", "1,209 characters; at most 1,000 are allowed"),
]


@pytest.mark.parametrize(("expression", "field", "message"), ERRORS, ids=[error[0][:20] for error in ERRORS])
def test_an_error_names_the_field_the_value_and_what_was_expected(expression: str, field: str, message: str) -> None:
    with pytest.raises(CronError) as raised:
        Cron(expression)
    assert raised.value.field == field
    assert message in raised.value.message
    assert str(raised.value) == f"{field}: {raised.value.message}"
    assert isinstance(raised.value, ValueError)
    assert isinstance(raised.value, JobsError)


@pytest.mark.parametrize("wrong", [None, 5, b"* * * * *", ["*"] * 5])
def test_an_expression_is_text(wrong: object) -> None:
    with pytest.raises(CronError, match="cron: .* is not text"):
        Cron(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "message"),
    [
        ("Asia/Kolkatta", "no zone is named 'Asia/Kolkatta'; did you mean 'Asia/Kolkata'?"),
        ("asia/kolkata", "did you mean 'Asia/Kolkata'?"),
        ("nowhere", "no zone is named 'nowhere'"),
        ("", "no zone is named ''"),
        ("America", "no zone is named 'America'"),
        ("../etc/passwd", "no zone is named '../etc/passwd'"),
        ("/etc/passwd", "no zone is named '/etc/passwd'"),
        ("Asia/Kolkata\0", "no zone is named"),
        ("x" * 10_000, "no zone is named"),
        (None, "None is not the name of a time zone"),
        (UTC, "is not the name of a time zone"),
    ],
)
def test_an_unknown_zone_is_named(zone: str, message: str) -> None:
    with pytest.raises(CronError) as raised:
        Cron("* * * * *", zone)
    assert raised.value.field == "time_zone"
    assert message in raised.value.message


def test_old_names_of_zones_and_zone_objects_are_good() -> None:
    assert runs(Cron("0 2 * * *", "EST"), "2026-03-08 00:00", 2, "%d %H:%M %z") == ["08 02:00 -0500", "09 02:00 -0500"]
    assert Cron("0 2 * * *", "Asia/Calcutta").time_zone == "Asia/Calcutta"
    assert Cron("0 2 * * *", NEW_YORK) == Cron("0 2 * * *", "America/New_York")


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("hour", lambda: Cron.daily("*/2")),
        ("minute", lambda: Cron.daily(2, True)),
        ("minute", lambda: Cron.hourly(None)),
        ("minute", lambda: Cron.hourly(60)),
        ("day of week", lambda: Cron.weekly("someday")),
        ("day of week", lambda: Cron.weekly("mon,tue")),
        ("day of month", lambda: Cron.monthly(32)),
        ("month", lambda: Cron.yearly("smarch")),
    ],
)
def test_helpers_refuse_what_is_not_one_value(field: str, call: object) -> None:
    with pytest.raises(CronError) as raised:
        call()  # type: ignore[operator]
    assert raised.value.field == field


# Schedules that people wrote: after Saturday 31 October 2026, 06:00 UTC, which is 11:30 in Kolkata and 02:00 in New
# York; there clocks go back the next night.

WRITTEN = [
    ("sync-auth0-users", "0 */6 * * *", ["31 12:00", "31 18:00"], ["31 06:00 -4", "31 12:00 -4"]),
    ("cleanup-expired-tokens", "0 3 * * *", ["01 03:00", "02 03:00"], ["31 03:00 -4", "01 03:00 -5"]),
    ("generate-system-health-report", "0 8 * * *", ["01 08:00", "02 08:00"], ["31 08:00 -4", "01 08:00 -5"]),
    ("generate-monthly-invoices", "0 6 1 * *", ["01 06:00", "01 06:00"], ["01 06:00 -5", "01 06:00 -5"]),
    ("send-payment-reminders", "0 10 * * *", ["01 10:00", "02 10:00"], ["31 10:00 -4", "01 10:00 -5"]),
    ("check-overdue-invoices", "0 * * * *", ["31 12:00", "31 13:00"], ["31 03:00 -4", "31 04:00 -4"]),
    ("calculate-late-fees", "0 0 * * *", ["01 00:00", "02 00:00"], ["01 00:00 -4", "02 00:00 -5"]),
    ("send-po-approvals", "0 */2 * * *", ["31 12:00", "31 14:00"], ["31 04:00 -4", "31 06:00 -4"]),
    ("check-grn-matching", "0 9 * * *", ["01 09:00", "02 09:00"], ["31 09:00 -4", "01 09:00 -5"]),
    ("vendor-payment-reminders", "0 0 * * MON", ["02 00:00", "09 00:00"], ["02 00:00 -5", "09 00:00 -5"]),
    ("process-monthly-salaries", "0 23 L * *", ["31 23:00", "30 23:00"], ["31 23:00 -4", "30 23:00 -5"]),
    ("generate-payslips", "0 0 1 * *", ["01 00:00", "01 00:00"], ["01 00:00 -4", "01 00:00 -5"]),
    ("statutory-compliance-report", "0 6 2 * *", ["02 06:00", "02 06:00"], ["02 06:00 -5", "02 06:00 -5"]),
    ("attendance-summary", "0 18 * * *", ["31 18:00", "01 18:00"], ["31 18:00 -4", "01 18:00 -5"]),
    ("send-event-reminders", "0 8 * * *", ["01 08:00", "02 08:00"], ["31 08:00 -4", "01 08:00 -5"]),
    ("expire-visitor-passes", "*/30 * * * *", ["31 12:00", "31 12:30"], ["31 02:30 -4", "31 03:00 -4"]),
    ("maintenance-request-escalation", "0 */4 * * *", ["31 12:00", "31 16:00"], ["31 04:00 -4", "31 08:00 -4"]),
    ("check-low-stock-alerts", "0 9 * * *", ["01 09:00", "02 09:00"], ["31 09:00 -4", "01 09:00 -5"]),
    ("generate-stock-report", "0 17 * * FRI", ["06 17:00", "13 17:00"], ["06 17:00 -5", "13 17:00 -5"]),
    ("expire-items-check", "0 0 * * *", ["01 00:00", "02 00:00"], ["01 00:00 -4", "02 00:00 -5"]),
    # Written as expressions or with a helper.
    ("JOB001", "0-59 * * * MON,TUE,WED,THU,FRI", ["02 00:00", "02 00:01"], ["02 00:00 -5", "02 00:01 -5"]),
    ("easyjob", str(Cron.daily()), ["01 00:00", "02 00:00"], ["01 00:00 -4", "02 00:00 -5"]),
    ("generate-daily-reports", str(Cron.daily(2)), ["01 02:00", "02 02:00"], ["01 02:00 -5", "02 02:00 -5"]),
    ("generate-monthly-invoices", str(Cron.monthly(1, 6)), ["01 06:00", "01 06:00"], ["01 06:00 -5", "01 06:00 -5"]),
    ("cleanup-old-logs", str(Cron.weekly("sunday", 0)), ["01 00:00", "08 00:00"], ["01 00:00 -4", "08 00:00 -5"]),
]


def short(moments: Iterator[datetime]) -> list[str]:
    return [f"{moment:%d %H:%M} {(moment.utcoffset() or timedelta()) // timedelta(hours=1)}" for moment in moments]


@pytest.mark.parametrize(("name", "expression", "in_kolkata", "in_new_york"), WRITTEN)
def test_schedules_that_people_wrote(name: str, expression: str, in_kolkata: list[str], in_new_york: list[str]) -> None:
    after = at("2026-10-31 06:00")
    assert short(islice(Cron(expression, "Asia/Kolkata").iter(after), 2)) == [f"{run} 5" for run in in_kolkata]
    assert short(islice(Cron(expression, "America/New_York").iter(after), 2)) == in_new_york


def test_schedules_of_seconds_and_of_old_zones_that_people_wrote() -> None:
    assert runs(Cron("*/5 * * * * *"), "2026-10-31 06:00:03", 3, "%H:%M:%S") == ["06:00:05", "06:00:10", "06:00:15"]
    every_minute = Cron("0-59 * * * MON,TUE,WED,THU,FRI", "EST")
    assert runs(every_minute, "2026-10-31 06:00", 1, "%a %d %H:%M %z") == ["Mon 02 00:00 -0500"]
    assert runs(every_minute, "2026-11-07 04:59", 1, "%a %d %H:%M %z") == ["Mon 09 00:00 -0500"]
    assert runs(every_minute, "2026-11-07 04:58", 2, "%a %d %H:%M %z") == ["Fri 06 23:59 -0500", "Mon 09 00:00 -0500"]
