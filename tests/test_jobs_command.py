"""`manage.py jobs`: what it writes, and how it exits."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from django_jobs import clock, execution, monitoring
from django_jobs.management.exits import Exit
from django_jobs.models import Job, Server
from django_jobs.registry import registry
from django_jobs.states import machine
from tests.app.jobs import adds, fails, fails_twice, sleeps, succeeds

pytestmark = pytest.mark.django_db

WORKER = "server/1"
NOT_STORED = 2**62


def jobs(*arguments: object) -> str:
    out = StringIO()
    call_command("jobs", *map(str, arguments), stdout=out, stderr=StringIO(), no_color=True)
    return out.getvalue()


def jobs_json(*arguments: object) -> Any:
    return json.loads(jobs(*arguments, "--json"))


def run_here(job: Job, timeout: float = 0) -> Job:
    """Run the job in this process, as a worker would."""
    (claimed,) = machine.claim([job.pk], registry.names(), WORKER)
    machine.acknowledge([execution.run(claimed, WORKER)], WORKER)
    return monitoring.get(job.pk)


@pytest.fixture
def a_worker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, "wait", run_here)


def test_list_shows_the_newest_first() -> None:
    first, second = succeeds.enqueue_many([(1,), (2,)])
    rows = [line.split() for line in jobs("list").splitlines()[1:]]
    assert [row[0] for row in rows] == [str(second.pk), str(first.pk)]
    assert rows[0][1:4] == ["enqueued", "tests.succeeds", "default"]


def test_a_database_without_tables_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OperationalError("no such table: django_jobs_job")

    monkeypatch.setattr(monitoring, "jobs", missing)
    with pytest.raises(CommandError, match=r"cannot be used \(no such table: django_jobs_job\); `jobs doctor`"):
        jobs("list")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--state", "scheduled"], ["tests.sleeps"]),
        (["--state", "scheduled", "--state", "enqueued"], ["tests.sleeps", "tests.adds", "tests.succeeds"]),
        (["--type", "tests.adds"], ["tests.adds"]),
        (["--queue", "critical"], ["tests.adds"]),
        (["--queue", "critical", "--type", "tests.succeeds"], []),
        (["--limit", "1"], ["tests.sleeps"]),
        (["--limit", "0"], []),
    ],
)
def test_list_filters(filters: list[str], expected: list[str]) -> None:
    succeeds.enqueue()
    adds.using(queue="critical").enqueue(1, 2)
    sleeps.schedule(timedelta(hours=1), 1)
    out = StringIO()
    with nullcontext() if expected else pytest.raises(CommandError, match="No jobs match"):
        call_command("jobs", "list", *filters, "--json", stdout=out)
    assert [row["job_type"] for row in json.loads(out.getvalue())] == expected


@pytest.mark.parametrize("limit", ["-1", "x", "1.5"])
def test_a_limit_that_cannot_be_is_refused(limit: str) -> None:
    with pytest.raises(CommandError, match=f"--limit: '{limit}' is no number of jobs"):
        jobs("list", "--limit", limit)


def test_columns_of_the_list_are_aligned() -> None:
    succeeds.using(priority=-100).enqueue("a text\nof two lines")
    adds.enqueue(1, 2)
    header, *rows = jobs("list").splitlines()
    assert len(rows) == 2
    assert all(row[header.index("type") :].startswith("tests.") for row in rows)
    assert [row[: header.index("created")].split()[-1] for row in rows] == ["0", "-100"]


def test_show_tells_the_facts_and_the_history() -> None:
    job = run_here(adds.using(queue="critical", priority=7, tags=["acme"]).enqueue(2, y=3))
    text = jobs("show", job.pk)
    for part in (f"Job {job.pk}  tests.adds  succeeded", "tests.adds(2, y=3)", "critical, priority 7", "acme"):
        assert part in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("result")] == ["5"]
    history = text.split("History\n")[1].splitlines()
    assert [line.split()[4] for line in history] == ["enqueued", "processing", "succeeded"]


def test_show_tells_the_traceback_of_a_failed_job() -> None:
    text = jobs("show", run_here(fails.enqueue("no more paper")).pk)
    assert text.strip().endswith("ValueError: no more paper")
    assert "Traceback (most recent call last)" in text


def test_show_tells_the_traceback_of_a_job_that_waits_for_its_next_attempt() -> None:
    job = run_here(fails_twice.enqueue())
    assert job.state == "scheduled"
    assert "Traceback (most recent call last)" in jobs("show", job.pk)


def test_a_search_that_is_not_understood_is_wrong_usage() -> None:
    with pytest.raises(CommandError, match="there is no field colour") as refused:
        jobs("list", "--search", "colour:red")
    assert refused.value.returncode == Exit.MISUSED


def test_show_as_json_is_complete() -> None:
    job = run_here(fails.enqueue("ü"))
    shown = jobs_json("show", job.pk)
    assert (shown["id"], shown["state"], shown["args"], shown["call"]) == (job.pk, "failed", ["ü"], "tests.fails('ü')")
    assert [entry["state"] for entry in shown["history"]] == ["enqueued", "processing", "failed"]
    assert shown["history"][-1]["data"]["exception"] == "ValueError"
    assert shown["seconds"] >= 0


@pytest.mark.parametrize("number", [0, NOT_STORED, 10**30])
def test_show_of_an_unknown_job_is_refused(number: int) -> None:
    with pytest.raises(CommandError, match=f"There is no job {number}"):
        jobs("show", number)


def test_enqueue_writes_the_number_alone() -> None:
    job = monitoring.get(int(jobs("enqueue", "tests.adds", "2", "--kwargs", '{"y": -3}')))
    assert (job.job_type, job.args, job.kwargs, job.state, job.queue) == (
        "tests.adds",
        [2],
        {"y": -3},
        "enqueued",
        "default",
    )


def test_values_are_json() -> None:
    jobs("enqueue", "tests.succeeds", '{"a": [1, null, "ü"]}')
    jobs("enqueue", "tests.adds", "-2", "1.5")
    assert [job.args for job in monitoring.jobs()] == [[-2, 1.5], [{"a": [1, None, "ü"]}]]


def test_enqueue_takes_queue_and_priority() -> None:
    facts = jobs_json("enqueue", "tests.succeeds", "--queue", "critical", "--priority", "-5")
    assert (facts["queue"], facts["priority"]) == ("critical", -5)


def test_enqueue_in_some_seconds() -> None:
    job = monitoring.get(int(jobs("enqueue", "tests.succeeds", "--in", "60")))
    assert job.state == "scheduled"
    assert job.scheduled_at is not None
    assert timedelta(seconds=50) < job.scheduled_at - clock.now() <= timedelta(seconds=60)


@pytest.mark.parametrize("text", ["2999-01-01T10:00:00+02:00", "2999-01-01T08:00:00Z", "2999-01-01 08:00"])
def test_enqueue_at_a_time(text: str, settings: Any) -> None:
    settings.TIME_ZONE = "UTC"
    job = monitoring.get(int(jobs("enqueue", "tests.succeeds", "--at", text)))
    assert job.scheduled_at == datetime(2999, 1, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tests.suceeds"], "did you mean 'tests.succeeds'"),
        (["tests.adds", "1"], "missing a required argument"),
        (["tests.adds", "one", "2"], "one is not JSON; text goes in double quotes"),
        (["tests.adds", "--kwargs", "[1]"], "is not a JSON object"),
        (["tests.succeeds", '"\\u0000"'], "NUL"),
        (["tests.succeeds", "--queue", "nowhere"], "no queue is named 'nowhere'"),
        (["tests.succeeds", "--priority", "101"], "priority"),
        (["tests.succeeds", "--at", "tomorrow"], "ISO 8601"),
        (["tests.succeeds", "--at", "2026-13-01T00:00"], "ISO 8601"),
        (["tests.succeeds", "--in", "1e30"], "beyond the calendar"),
        (["tests.succeeds", "--in", "nan"], "beyond the calendar"),
        (["tests.succeeds", "--in", "1", "--at", "2999-01-01"], "not allowed with"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        jobs("enqueue", *arguments)
    assert not monitoring.jobs().exists()


@pytest.mark.usefixtures("a_worker_answers")
def test_wait_for_success() -> None:
    assert jobs("enqueue", "tests.adds", "2", "3", "--wait", "5").strip().isdecimal()
    assert jobs_json("enqueue", "tests.adds", "2", "3", "--wait", "5")["result"] == 5


@pytest.mark.usefixtures("a_worker_answers")
def test_wait_for_a_failure_exits_with_1() -> None:
    with pytest.raises(CommandError, match=r"Job \d+ failed: ValueError: broken") as caught:
        jobs("enqueue", "tests.fails", "--wait", "5")
    assert caught.value.returncode == 1


def test_wait_that_is_too_short_exits_with_3() -> None:
    with pytest.raises(CommandError, match=r"is still enqueued after 0\.01 seconds") as caught:
        jobs("enqueue", "tests.succeeds", "--wait", "0.01")
    assert caught.value.returncode == 3


def test_a_job_that_was_waited_for_in_vain_is_written_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("jobs", "enqueue", "tests.succeeds", "--wait", "0.01", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (caught.value.returncode, told["id"], told["state"]) == (3, monitoring.jobs().get().pk, "enqueued")


@pytest.fixture
def a_server() -> Server:
    now = clock.now()
    return Server.objects.create(
        name="alpha", kind="supervisor", host="h", pid=7, queues=["default"], slots=2, started_at=now, heartbeat_at=now
    )


def test_stats_count_states_queues_and_servers(a_server: Server) -> None:
    run_here(succeeds.enqueue())
    run_here(fails.enqueue())
    succeeds.enqueue_many([(1,), (2,)])
    text = jobs("stats")
    words = [line.split() for line in text.splitlines() if line]
    assert ["succeeded", "1"] in words
    assert ["enqueued", "2"] in words
    assert next(row for row in words if row[0] == "default")[1] == "2"
    assert next(row for row in words if row[0] == "alpha")[1:5] == ["yes", "7", "0", "2"]
    assert text.splitlines()[-1] == "In the last 24 h: 0 deleted, 1 failed, 1 succeeded"


def test_stats_as_json(a_server: Server) -> None:
    run_here(succeeds.enqueue())
    succeeds.using(queue="critical").enqueue()
    stats = jobs_json("stats")
    assert (stats["states"]["succeeded"], stats["states"]["enqueued"], stats["capped"]) == (1, 1, [])
    assert (stats["queues"]["critical"]["waiting"], stats["queues"]["default"]["servers"]) == (1, 1)
    assert [(server["name"], server["alive"]) for server in stats["servers"]] == [("alpha", True)]
    assert stats["throughput"]["succeeded"] == 1


def test_stats_say_when_no_server_runs() -> None:
    assert "No server runs" in jobs("stats")


@pytest.mark.parametrize("arguments", [[], ["list"], ["show"], ["enqueue"], ["stats"]])
def test_every_verb_has_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call_command("jobs", *arguments, "--help")
    assert caught.value.code == 0
    assert "usage:" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nothing"], []])
def test_a_verb_is_needed(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        jobs(*arguments)


def test_queues_are_limited_from_the_command_line() -> None:
    assert jobs("queues", "limit", "critical", "--max-concurrency", "3", "--rate-limit", "10/m") == (
        "Queue critical: 3 at once, 10/m\n"
    )
    assert "3 at once, 10/m" in jobs("queues")
    assert jobs("queues", "limit", "critical") == "Queue critical: no limits\n"
    with pytest.raises(CommandError, match="rate_limit: is 'often'; give a RateLimit"):
        jobs("queues", "limit", "critical", "--rate-limit", "often")
    with pytest.raises(CommandError, match="'0' is no number of jobs: give a whole number of at least 1"):
        jobs("queues", "limit", "critical", "--max-concurrency", "0")
