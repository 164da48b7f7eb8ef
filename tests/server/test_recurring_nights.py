"""Both nights of New York, look by look: which ticks the leader makes jobs of while clocks change, stand or step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_jobs import clock
from django_jobs.models import Job, RecurringJob
from django_jobs.server.recurring import fire_due
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)

NEW_YORK = ZoneInfo("America/New_York")
MISFIRES = ["relaxed", "strict", "skip"]
Made = dict[str, list[str]]


class Night:
    """Three schedules, and a leader that looks at them when it is told to."""

    crons = {"fixed": "30 2 * * *", "hourly": "30 * * * *", "half": "*/30 * * * *"}

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clock, "now", lambda: self.at)
        self.seen: set[int] = set()

    def falls(self, at: str, misfire: str, **crons: str) -> None:
        self.at = instant(at)
        for name, cron in {**self.crons, **crons}.items():
            RecurringJob.objects.add_or_update(name, succeeds, cron=cron, time_zone="America/New_York", misfire=misfire)

    def look(self, at: str) -> Made:
        """What the leader makes at that time: the ticks of each schedule, as clocks in New York show them."""
        self.at = instant(at)
        fire_due()
        made: Made = {}
        for job in Job.objects.exclude(pk__in=self.seen).order_by("tick", "recurring_job"):
            assert job.tick is not None
            made.setdefault(str(job.recurring_job_id), []).append(f"{job.tick.astimezone(NEW_YORK):%H:%M %Z}")
            self.seen.add(job.pk)
        return made

    def looks(self, begin: str, end: str, minutes: int = 10) -> Made:
        made: Made = {}
        at = instant(begin)
        while at <= instant(end):
            for name, ticks in self.look(at.isoformat()).items():
                made.setdefault(name, []).extend(ticks)
            at += timedelta(minutes=minutes)
        return made


def instant(text: str) -> datetime:
    """Of ``2026-03-08 01:30 EST``, or of an ISO time."""
    offsets = {"EST": "-05:00", "EDT": "-04:00"}
    return datetime.fromisoformat(text[:-4] + offsets[text[-3:]] if text[-3:] in offsets else text).astimezone(UTC)


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(monkeypatch)


SPRING = [
    ("00:30 EST", {"half": ["00:30 EST"], "hourly": ["00:30 EST"]}),
    ("00:59 EST", {}),
    ("01:00 EST", {"half": ["01:00 EST"]}),
    ("01:30 EST", {"half": ["01:30 EST"], "hourly": ["01:30 EST"]}),
    ("01:59 EST", {}),
    ("03:00 EDT", {"fixed": ["03:00 EDT"], "half": ["03:00 EDT"], "hourly": ["03:00 EDT"]}),
    ("03:01 EDT", {}),
    ("03:30 EDT", {"half": ["03:30 EDT"], "hourly": ["03:30 EDT"]}),
    ("04:00 EDT", {"half": ["04:00 EDT"]}),
    ("04:30 EDT", {"half": ["04:30 EDT"], "hourly": ["04:30 EDT"]}),
]
AUTUMN = [
    ("00:30 EDT", {"half": ["00:30 EDT"], "hourly": ["00:30 EDT"]}),
    ("01:00 EDT", {"half": ["01:00 EDT"]}),
    ("01:30 EDT", {"fixed": ["01:30 EDT"], "half": ["01:30 EDT"], "hourly": ["01:30 EDT"]}),
    ("01:59 EDT", {}),
    ("01:00 EST", {"half": ["01:00 EST"]}),
    ("01:29 EST", {}),
    ("01:30 EST", {"half": ["01:30 EST"], "hourly": ["01:30 EST"]}),
    ("02:00 EST", {"half": ["02:00 EST"]}),
    ("02:30 EST", {"half": ["02:30 EST"], "hourly": ["02:30 EST"]}),
]


@pytest.mark.parametrize("misfire", MISFIRES)
def test_the_night_in_spring(night: Night, misfire: str) -> None:
    night.falls("2026-03-08 00:10 EST", misfire)
    assert [(at, night.look(f"2026-03-08 {at}")) for at, _ in SPRING] == SPRING


@pytest.mark.parametrize("misfire", MISFIRES)
def test_the_night_in_autumn(night: Night, misfire: str) -> None:
    night.falls("2026-11-01 00:10 EDT", misfire, fixed="30 1 * * *")
    assert [(at, night.look(f"2026-11-01 {at}")) for at, _ in AUTUMN] == AUTUMN


# The leader was away while clocks changed.


@pytest.mark.parametrize(
    ("misfire", "back_at", "made"),
    [
        ("relaxed", "03:50 EDT", {"fixed": ["03:00 EDT"], "half": ["03:30 EDT"], "hourly": ["03:30 EDT"]}),
        (
            "strict",
            "03:50 EDT",
            {"fixed": ["03:00 EDT"], "half": ["03:00 EDT", "03:30 EDT"], "hourly": ["03:00 EDT", "03:30 EDT"]},
        ),
        ("skip", "03:50 EDT", {}),
        ("skip", "03:30 EDT", {"half": ["03:30 EDT"], "hourly": ["03:30 EDT"]}),
    ],
)
def test_away_in_spring(night: Night, misfire: str, back_at: str, made: Made) -> None:
    night.falls("2026-03-08 01:40 EST", misfire)
    assert night.look(f"2026-03-08 {back_at}") == made
    assert night.look("2026-03-08 04:00 EDT") == {"half": ["04:00 EDT"]}


@pytest.mark.parametrize(
    ("misfire", "back_at", "made"),
    [
        ("relaxed", "02:10 EST", {"fixed": ["01:30 EDT"], "half": ["02:00 EST"], "hourly": ["01:30 EST"]}),
        ("relaxed", "01:10 EST", {"fixed": ["01:30 EDT"], "half": ["01:00 EST"], "hourly": ["01:30 EDT"]}),
        (
            "strict",
            "02:10 EST",
            {
                "fixed": ["01:30 EDT"],
                "half": ["01:00 EDT", "01:30 EDT", "01:00 EST", "01:30 EST", "02:00 EST"],
                "hourly": ["01:30 EDT", "01:30 EST"],
            },
        ),
        ("skip", "02:10 EST", {}),
        ("skip", "01:30 EST", {"half": ["01:30 EST"], "hourly": ["01:30 EST"]}),
    ],
)
def test_away_in_autumn(night: Night, misfire: str, back_at: str, made: Made) -> None:
    night.falls("2026-11-01 00:50 EDT", misfire, fixed="30 1 * * *")
    assert night.look(f"2026-11-01 {back_at}") == made
    assert night.look("2026-11-01 02:31 EST")["hourly"] == ["02:30 EST"]


# The server's clock steps.


@pytest.mark.parametrize("misfire", MISFIRES)
def test_a_clock_set_back_an_hour_in_the_repeated_hour_repeats_nothing(night: Night, misfire: str) -> None:
    night.falls("2026-11-01 00:50 EDT", misfire, fixed="30 1 * * *")
    once = {
        "fixed": ["01:30 EDT"],
        "half": ["01:00 EDT", "01:30 EDT", "01:00 EST", "01:30 EST"],
        "hourly": ["01:30 EDT", "01:30 EST"],
    }
    assert night.looks("2026-11-01 00:50 EDT", "2026-11-01 01:40 EST") == once
    assert night.looks("2026-11-01 01:40 EDT", "2026-11-01 01:40 EST") == {}
    assert night.looks("2026-11-01 01:50 EST", "2026-11-01 02:30 EST") == {
        "half": ["02:00 EST", "02:30 EST"],
        "hourly": ["02:30 EST"],
    }


@pytest.mark.parametrize("misfire", MISFIRES)
def test_a_clock_set_back_an_hour_after_the_gap_repeats_nothing(night: Night, misfire: str) -> None:
    night.falls("2026-03-08 01:20 EST", misfire)
    assert night.looks("2026-03-08 01:20 EST", "2026-03-08 03:10 EDT") == {
        "fixed": ["03:00 EDT"],
        "half": ["01:30 EST", "03:00 EDT"],
        "hourly": ["01:30 EST", "03:00 EDT"],
    }
    assert night.looks("2026-03-08 01:10 EST", "2026-03-08 03:20 EDT") == {}
    assert night.look("2026-03-08 03:30 EDT") == {"half": ["03:30 EDT"], "hourly": ["03:30 EDT"]}


@pytest.mark.parametrize(
    ("misfire", "made"),
    [
        ("relaxed", {"fixed": 1, "half": 1, "hourly": 1}),
        ("strict", {"fixed": 1, "half": 48, "hourly": 24}),
        ("skip", {}),
    ],
)
def test_a_clock_set_forward_a_day_over_the_night_and_back_again(
    night: Night, misfire: str, made: dict[str, int]
) -> None:
    night.falls("2026-11-01 00:50 EDT", misfire, fixed="30 1 * * *")
    ahead = night.look("2026-11-01 23:50 EST")
    assert {name: len(ticks) for name, ticks in ahead.items()} == made
    if ahead:
        assert {name: ticks[-1] for name, ticks in ahead.items()} == {
            "fixed": "01:30 EDT",
            "half": "23:30 EST",
            "hourly": "23:30 EST",
        }
    assert night.looks("2026-11-01 00:50 EDT", "2026-11-01 23:50 EST", 30) == {}
    assert night.look("2026-11-02 00:30 EST")["hourly"] == ["00:30 EST"]
    assert night.look("2026-11-02 01:30 EST")["fixed"] == ["01:30 EST"]
