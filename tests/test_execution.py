"""One run: whatever the function does, the run ends in a state that can be recorded, and leaves nothing open."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction

from django_jobs import Retry, Snooze, execution, queues
from django_jobs.context import current
from django_jobs.decorators import job
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.states.statements import Claimed, Finish


@pytest.fixture(autouse=True)
def registered() -> Any:
    before = set(registry.names())
    yield
    for name in set(registry.names()) - before:
        registry.remove(name)


def run(name: str, *args: Any, failures: int = 0, **kwargs: Any) -> Finish:
    return execution.run(
        Claimed(7, name, json.dumps(args), json.dumps(kwargs), failures + 1, "default", 0, failures), "w/1"
    )


def returns(value: Any = None) -> Any:
    return value


def raises(kind: str) -> None:
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "Recursion": RecursionError}[kind]("told")


def sees_itself(ctx: Any, x: int) -> list[Any]:
    context = current()
    assert context is ctx
    return [ctx.id, ctx.attempt, ctx.run, ctx.worker, ctx.args, ctx.kwargs]


async def is_async(x: int) -> int:
    return x + 1


class IsAClass:
    """A job type with its own state for each run."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def run(self, x: int) -> int:
        self.seen.append(x)
        return len(self.seen)


def loops_for_ever() -> None:
    while True:
        time.sleep(0.01)


def recurses(depth: int = 0) -> None:
    recurses(depth + 1)


def leaves_a_transaction_open() -> None:
    transaction.atomic().__enter__()
    connection.cursor().execute("SELECT 1")


def switches_autocommit_off() -> None:
    connection.ensure_connection()
    connection.set_autocommit(False)


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_unreadable() -> None:
    raise Unreadable


def test_a_result_is_json_text() -> None:
    job("t.returns")(returns)
    ended = run("t.returns", {"a": [1, None]})
    assert (ended.state, ended.result, ended.failed) == ("succeeded", '{"a": [1, null]}', 0)
    assert run("t.returns").result is None


def test_the_context_knows_the_run() -> None:
    job("t.sees", takes_context=True)(sees_itself)
    assert json.loads(run("t.sees", 5, failures=2).result or "") == [7, 3, 3, "w/1", [5], {}]
    assert current() is None


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "Recursion"])
def test_even_what_is_no_exception_is_a_failure_of_the_job(kind: str) -> None:
    job("t.raises")(raises)
    ended = run("t.raises", kind)
    assert (ended.state, ended.failed) == ("failed", 1)
    assert "told" in ended.reason


def test_async_functions_and_classes_run() -> None:
    job("t.async")(is_async)
    job("t.class")(IsAClass)
    assert run("t.async", 1).result == "2"
    assert [run("t.class", 1).result, run("t.class", 2).result] == ["1", "1"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
def test_a_time_limit_stops_the_job_and_names_itself() -> None:
    job("t.loops", timeout=0.1)(loops_for_ever)
    ended = run("t.loops")
    assert ended.reason == "django_jobs.exceptions.JobTimeout: The job ran longer than its time limit of 0.1 seconds"


def test_a_deep_traceback_is_kept_short_with_its_end() -> None:
    job("t.recurses")(recurses)
    data = json.loads(run("t.recurses").data)
    assert data["traceback"].count("\n") <= execution.TRACEBACK_LINES
    assert data["traceback"].splitlines()[-1].startswith("RecursionError")


def test_an_exception_without_a_readable_message_is_recorded() -> None:
    job("t.unreadable")(raises_unreadable)
    assert "could not be read" in run("t.unreadable").reason


def test_an_unknown_type_and_misfit_arguments_fail_with_the_reason() -> None:
    assert "no job type is named 't.nobody'" in run("t.nobody").reason
    job("t.async")(is_async)
    assert "unexpected keyword argument 'y'" in run("t.async", y=1).reason


def hangs_in_the_network() -> str:
    with queues.line("default").attempt("a test"):
        time.sleep(2)
    return "went on"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a timer signal")
def test_a_time_limit_is_not_taken_for_trouble_of_the_network() -> None:
    job("t.hangs", timeout=0.1)(hangs_in_the_network)
    assert "JobTimeout" in run("t.hangs").reason


def snoozes(seconds: float) -> None:
    raise Snooze(seconds)


@pytest.mark.parametrize("seconds", [1e10, 1e300, float("inf"), float("nan")])
def test_a_delay_beyond_the_calendar_is_a_failure(seconds: float) -> None:
    job("t.snoozes")(snoozes)
    assert "at most a hundred years" in run("t.snoozes", seconds).reason
    if seconds == 1e300:  # Retry itself refuses what is no number of seconds
        job("t.returns", retry=Retry(delays=[seconds]))(returns)
        ended = run("t.returns", 1, 2)
        assert (ended.state, ended.then) == ("failed", None)


def test_a_retention_beyond_the_calendar_is_for_ever() -> None:
    job("t.returns", retention=timedelta.max)(returns)
    assert run("t.returns").expires_at is None


class Breaks(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("cannot be read")


def returns_what_breaks() -> Any:
    return Breaks(a=1)


def test_a_result_that_cannot_be_read_fails_no_job() -> None:
    job("t.breaks")(returns_what_breaks)
    assert run("t.breaks").state == "succeeded"


async def counts_jobs() -> int:
    return await Job.objects.acount()


async def breaks_its_connection() -> None:
    await sync_to_async(_break_connection)()


def _break_connection() -> None:
    connection.ensure_connection()
    connection.connection.close()


@pytest.mark.django_db(transaction=True)
def test_async_jobs_survive_the_loss_of_their_threads_connection() -> None:
    job("t.counts", retry=Retry(attempts=0))(counts_jobs)
    job("t.breaks")(breaks_its_connection)
    run("t.breaks")
    assert [run("t.counts").state for _ in range(3)][1:] == ["succeeded"] * 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("leaves", [leaves_a_transaction_open, switches_autocommit_off])
def test_a_transaction_left_open_is_rolled_back(leaves: Any, caplog: pytest.LogCaptureFixture) -> None:
    job("t.leaves")(leaves)
    assert run("t.leaves").state == "succeeded"
    assert not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert connection.get_autocommit()
    assert "left a transaction open" in caplog.text


@pytest.mark.django_db
def test_a_callers_own_transaction_is_left_alone() -> None:
    job("t.returns")(returns)
    assert connection.in_atomic_block
    run("t.returns", 1)
    assert connection.in_atomic_block
