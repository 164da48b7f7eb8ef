"""How `make test` chooses its lanes and adds them up."""

from __future__ import annotations

import pytest

from tests.lanes import BadLane, Lane, Outcome, lanes, table

pytestmark = pytest.mark.once

POSTGRES = {"TEST_POSTGRES_URL": "postgres://localhost/postgres"}
MARIADB = {"TEST_MARIADB_URL": "mysql://localhost/jobs"}
REDIS = {"TEST_REDIS_URL": "redis://localhost:6379/15"}


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, ["SQLite"]),
        (REDIS, ["SQLite", "SQLite, given Redis"]),
        (POSTGRES, ["SQLite", "PostgreSQL"]),
        ({**POSTGRES, **MARIADB, **REDIS}, ["SQLite", "PostgreSQL", "MariaDB"]),
    ],
)
def test_each_service_of_the_environment_gets_its_lane(environment: dict[str, str], names: list[str]) -> None:
    assert [lane.name for lane in lanes(environment)] == names


def test_a_given_redis_serves_the_given_databases() -> None:
    first, second = lanes({**POSTGRES, **REDIS})
    assert (first.redis_url, second.redis_url) == ("", REDIS["TEST_REDIS_URL"])


@pytest.mark.parametrize("url", ["redis://localhost", "redis://localhost:6379/", "redis://localhost/name"])
def test_a_redis_without_a_database_number_is_refused(url: str) -> None:
    with pytest.raises(BadLane, match="database number"):
        lanes({"TEST_REDIS_URL": url})


def test_the_table_shows_what_was_met() -> None:
    used = {"postgresql": "15.20", "redis": "7.0.15", "chromium": "156"}
    outcome = Outcome(Lane("PostgreSQL"), 1, 3.2, used, {"passed": 5, "failed": 1, "error": 1, "skipped": 2}, 3)
    _, _, row = table([outcome]).splitlines()
    assert row.split("  ")[0] == "PostgreSQL"
    assert "PostgreSQL 15.20  Redis 7.0.15  Chromium 156, 3 tests  5" in row
    assert row.split()[-3:] == ["2", "2", "3"]


def test_a_lane_that_crashed_shows_its_status() -> None:
    assert "exit status -9" in table([Outcome(Lane("SQLite"), -9, 1.0)])
