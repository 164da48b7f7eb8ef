"""How `make test` chooses its lanes and adds them up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lanes import BadLane, Lane, Outcome, deserve_another_try, lanes, run, table

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


@pytest.mark.parametrize(
    ("failed", "tried"),
    [
        ([], False),
        (["tests/processes/test_runjobs.py::test_a"], True),
        (["tests/dashboard/test_browser.py::test_a", "tests/conformance/test_interleavings.py::test_b"], True),
        (["tests/processes/test_runjobs.py::test_a", "tests/test_client.py::test_b"], False),
        ([f"tests/processes/test_runjobs.py::test_{number}" for number in range(5)], False),
    ],
)
def test_only_a_few_that_wait_for_processes_are_tried_again(failed: list[str], tried: bool) -> None:
    assert deserve_another_try(failed) is tried


@pytest.mark.parametrize(("works_at", "status"), [(2, 0), (3, 1)])
def test_a_test_that_passes_at_its_second_try_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works_at: int, status: int
) -> None:
    test = tmp_path / "tests" / "processes" / "test_moody.py"
    test.parent.mkdir(parents=True)
    test.write_text(
        "from pathlib import Path\n\ndef test_moody():\n    notes = Path('tries')\n"
        "    tries = len(notes.read_text()) + 1 if notes.exists() else 1\n    notes.write_text('x' * tries)\n"
        f"    assert tries >= {works_at}\n\ndef test_steady():\n    pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    outcome = run(Lane("SQLite"), ["-p", "no:django", "-p", "no:schemathesis", "tests"])
    named = ["tests/processes/test_moody.py::test_moody"] if status == 0 else []
    assert (outcome.status, outcome.doubtful) == (status, named)
    assert (tmp_path / "tries").read_text() == "xx"
