"""How `make test` chooses its lanes and adds them up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lanes import FEW, BadLane, Lane, Outcome, lanes, run, table
from tests.servers import ROOT

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


def test_many_second_tries_are_no_chance() -> None:
    few = Outcome(Lane("SQLite"), 0, 1.0, doubtful=["one"] * FEW)
    many = Outcome(Lane("SQLite"), 0, 1.0, doubtful=["one"] * (FEW + 1))
    assert (few.failed, many.failed) == (False, True)


@pytest.mark.parametrize(
    ("folder", "works_at", "status", "tries"),
    [("tests/processes", 2, 0, 2), ("tests/processes", 3, 1, 2), ("tests/conformance", 2, 1, 1)],
)
def test_only_what_waits_for_processes_has_a_second_try_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, works_at: int, status: int, tries: int
) -> None:
    test = tmp_path / folder / "test_moody.py"
    test.parent.mkdir(parents=True)
    test.write_text(
        "from pathlib import Path\n\ndef test_moody():\n    notes = Path('tries')\n"
        "    tries = len(notes.read_text()) + 1 if notes.exists() else 1\n    notes.write_text('x' * tries)\n"
        f"    assert tries >= {works_at}\n\ndef test_steady():\n    pass\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    hooks = "pytest_collection_modifyitems, pytest_terminal_summary"
    (tmp_path / "conftest.py").write_text(f"from tests.conftest import {hooks}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    outcome = run(Lane("SQLite"), ["-p", "no:schemathesis", str(test.relative_to(tmp_path))])
    named = [f"{folder}/test_moody.py::test_moody"] if status == 0 else []
    assert (outcome.status, outcome.doubtful) == (status, named)
    assert len((tmp_path / "tries").read_text()) == tries
