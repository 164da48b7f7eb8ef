"""The helpers for tests of a site: each promise of the page about them, and each example on it."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import types
import unittest
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import TestCase, TransactionTestCase
from django.test import override_settings as settings_as

from django_jobs import Batch, Snooze, clock, states, testing
from django_jobs.decorators import job
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Counter, Job
from django_jobs.registry import registry
from django_jobs.tasks_backend import conformance
from django_jobs.testing import (
    adrain,
    arun_inline,
    arun_job,
    assert_enqueued,
    capture_jobs,
    drain,
    dummy_jobs,
    immediate_jobs,
    moved_clock,
    run_inline,
    run_job,
)
from tests.app.jobs import adds, fails, fails_twice, succeeds
from tests.app.threadjobs import counts_async, tells_its_process
from tests.servers import ROOT

PAGE = ROOT / "docs/how-to/testing.md"
NOWHERE = {name: {"URL": "redis://127.0.0.1:1/0"} for name in ("critical", "default", "low-priority")}


@pytest.fixture
def page() -> Iterator[types.ModuleType]:
    """The examples of the page, as one module."""
    before = set(registry.names())
    module = types.ModuleType("docs_testing")
    sys.modules["docs_testing"] = module
    source = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    exec(compile(source, str(PAGE), "exec"), module.__dict__)
    yield module
    del sys.modules["docs_testing"]
    for name in set(registry.names()) - before:
        registry.remove(name)


@pytest.mark.django_db(transaction=True)  # or its test cases would run inside of a transaction
def test_the_examples_of_the_page_work(page: types.ModuleType) -> None:
    suite = unittest.defaultTestLoader.loadTestsFromModule(page)
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun == 10
    assert [text for _, text in [*result.failures, *result.errors]] == []


class Promises:
    """What holds in every kind of test case."""

    def test_a_job_runs_with_its_context_and_its_record(self) -> None:
        assert run_inline(adds, 1, 2) == 3
        told = run_job(tells_its_process.enqueue([1]))
        assert told.state == "succeeded"
        assert told.result[2] == {"kept": [1]}
        assert [entry.name for entry in told.history()] == ["enqueued", "processing", "succeeded"]

    def test_a_scheduled_job_runs_when_it_is_told_to(self) -> None:
        assert run_job(adds.schedule(timedelta(days=1), 1, 2)).result == 3

    def test_a_failure_is_raised_after_it_was_recorded(self) -> None:
        job = fails.enqueue("no")
        with pytest.raises(ValueError, match="no"):
            run_job(job)
        job.refresh_from_db()
        assert job.state == "failed"

    def test_an_ended_job_is_refused(self) -> None:
        job = run_job(adds.enqueue(1, 2))
        with pytest.raises(AssertionError, match="cannot be run, it is succeeded"):
            run_job(job)

    def test_a_drain_follows_retries_with_a_clock_that_moves_on(self) -> None:
        before = clock.now()
        late = succeeds.schedule(timedelta(days=2), "late")
        fails_twice.enqueue()
        *retried, last = [job.state for job in drain(until=timedelta(hours=1))]
        assert len(retried) == 2
        assert set(retried) <= {"scheduled", "enqueued"}  # the first delay, 0.1 s, may be over when it is recorded
        assert last == "succeeded"
        assert clock.now() - before < timedelta(minutes=1)
        assert [job.pk for job in drain(until=timedelta(days=3))] == [late.pk]
        assert drain() == []

    def test_a_drain_takes_the_queues_it_is_given(self) -> None:
        mine, other = adds.using(queue="critical").enqueue(1, 1), adds.enqueue(2, 2)
        assert [job.pk for job in drain(queues=["critical"])] == [mine.pk]
        other.refresh_from_db()
        assert other.state == "enqueued"

    def test_an_argument_may_have_any_name(self) -> None:
        assert run_inline(job("t.names")(takes_a_task), task="wash", self="up") == ["wash", "up"]
        registry.remove("t.names")

    def test_queues_may_be_one_name_or_come_one_by_one(self) -> None:
        for queues in ("critical", (name for name in ["critical", "low-priority"])):
            adds.using(queue="critical").enqueue_many([(1, 2), (3, 4)])
            assert [job.result for job in drain(queues=queues)] == [3, 7]

    def test_continuations_run_in_the_same_drain(self) -> None:
        first = adds.enqueue(1, 2)
        first.then(succeeds, "after").then(adds, 3, 4)
        assert [job.result for job in drain()] == [3, "after", 7]

    def test_a_drain_that_never_ends_is_told(self) -> None:
        job("t.again")(enqueues_itself).enqueue()
        with pytest.raises(AssertionError, match="still enqueued after 20 runs"):
            drain(limit=20)
        registry.remove("t.again")

    def test_async_jobs_work_on_the_connection_of_the_test(self) -> None:
        Counter.objects.create(name="seen", hour=clock.now(), value=1)
        before = Counter.objects.count()
        assert run_inline(counts_async) == before > 0

    def test_what_was_captured_is_told(self) -> None:
        adds.enqueue(0, 0)
        with capture_jobs() as jobs:
            first = adds.using(queue="critical", tags=["x"]).enqueue(1, y=2)
            succeeds.schedule(timedelta(hours=1), "later")
            assert len(jobs) == 2
        adds.enqueue(9, 9)
        assert [job.job_type for job in jobs] == ["tests.adds", "tests.succeeds"]
        assert repr(jobs).startswith("[tests.adds(1, y=2), ")
        assert assert_enqueued(adds, args=[1], kwargs={"y": 2}, queue="critical", tags=["x"]).pk == first.pk
        assert assert_enqueued("tests.succeeds", among=jobs, state=states.SCHEDULED).args == ["later"]
        for wrong in ({"args": [1, 2]}, {"queue": "low-priority"}, {"args": [5], "kwargs": {"y": 2}}):
            with pytest.raises(AssertionError, match=r"0 jobs tests.adds .*\n  tests.adds\(1, y=2\) in critical"):
                assert_enqueued(adds, among=jobs, **wrong)  # type: ignore[arg-type]
        with pytest.raises(AssertionError, match="3 jobs tests.adds"):
            assert_enqueued(adds)

    async def test_the_async_twins(self) -> None:
        assert await arun_inline(adds, 1, 2) == 3
        assert (await arun_job(await adds.aenqueue(3, 4))).result == 7
        await adds.aenqueue(5, 6)
        assert [job.result for job in await adrain()] == [11]
        before = await Counter.objects.acount()
        assert await arun_inline(counts_async) == before > 0


class InTestCase(Promises, TestCase):
    pass


@settings_as(RQ_QUEUES=NOWHERE)
class WithoutRedis(Promises, TransactionTestCase):
    pass


def takes_a_task(task: str, self: str) -> list[str]:
    return [task, self]


def enqueues_itself() -> None:
    registry_job: Any = registry.get("t.again")
    Job.objects.filter(job_type="t.again").exists()
    from django_jobs import client

    client.enqueue(registry_job, [((), {})])


def test_snooze_is_no_failure(db: None) -> None:
    job("t.snoozes")(snoozes)
    try:
        assert run_job(registry_call("t.snoozes")).state == "scheduled"
    finally:
        registry.remove("t.snoozes")


def registry_call(name: str) -> Job:
    from django_jobs import client

    return client.enqueue(name, [((), {})])[0]


def snoozes() -> None:
    raise Snooze(5)


class Doubles:
    def test_an_immediate_job_has_run_with_all_that_follows_when_its_call_returns(self) -> None:
        with immediate_jobs():
            parent = adds.enqueue(1, 2)
            child = adds.using(after=[parent]).enqueue(3, 4)
            many = adds.enqueue_many([(1, 1), (2, 2)])
            failed = fails.enqueue()
            later = adds.using(run_after=timedelta(hours=1)).enqueue(5, 6)
        assert [job.state for job in (parent, child, *many, later)] == ["succeeded"] * 4 + ["scheduled"]
        assert (child.result, failed.state) == (7, "failed")

    def test_an_immediate_batch_ends_with_its_continuation(self) -> None:
        with immediate_jobs():
            batch = Batch.start("Sums", [adds.bind(at, at) for at in range(3)])
            after = adds.using(after=[batch]).enqueue(1, 1)
        assert (batch.state, after.state) == ("succeeded", "succeeded")

    async def test_an_async_call_is_immediate_too(self) -> None:
        with immediate_jobs():
            job = await adds.aenqueue(2, 2)
        assert (job.state, job.result) == ("succeeded", 4)

    def test_dummy_jobs_are_checked_and_not_stored(self) -> None:
        before = Job.objects.count()
        with dummy_jobs() as calls:
            first = adds.enqueue(1, 2)
            adds.enqueue_many([(3, 4)])
            with pytest.raises(InvalidJob):
                adds.enqueue(1)
        assert Job.objects.count() == before
        assert [(job.pk, job.args) for job in calls] == [(1, [1, 2]), (2, [3, 4])]
        assert first is calls[0]

    def test_a_moved_clock_is_set_back(self) -> None:
        before = clock.now()
        with moved_clock(timedelta(days=30)) as movable:
            assert timedelta(days=30) <= movable.now - before < timedelta(days=31)
            assert movable.move(timedelta(days=1)) == pytest.approx(before + timedelta(days=31), abs=timedelta(hours=1))
        assert clock.now() - before < timedelta(days=1)


class TestDoublesInATestCase(Doubles, TestCase): ...


class TestDoublesInATransactionTestCase(Doubles, TransactionTestCase): ...


PLUGIN_TESTS = """
from datetime import timedelta
from django.utils import timezone
from django_jobs import clock
from tests.app.jobs import adds

def test_captured(captured_jobs, drain_jobs, assert_job_enqueued):
    adds.enqueue(1, 2)
    assert assert_job_enqueued(adds, args=[1, 2]) == captured_jobs[0]
    assert [job.result for job in drain_jobs()] == [3]

def test_immediate(immediate_jobs):
    assert adds.enqueue(1, 2).result == 3

def test_dummy(dummy_jobs):
    adds.enqueue(1, 2)
    assert len(dummy_jobs) == 1

def test_clock(jobs_clock):
    jobs_clock.move(timedelta(days=2))
    assert clock.now() - timezone.now() > timedelta(days=1)

def test_the_clock_was_set_back():
    assert clock.now() - timezone.now() < timedelta(days=1)
"""


def test_the_plug_in_of_pytest_has_a_fixture_for_each(tmp_path: Path) -> None:
    file = tmp_path / "test_site.py"
    file.write_text(PLUGIN_TESTS)
    settings = tmp_path / "site_settings.py"
    settings.write_text(
        "from tests.settings import *\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={tmp_path}",
        "-c",
        os.devnull,
    ]
    loaded = importlib.metadata.entry_points(group="pytest11", name="django_jobs")
    command += [] if loaded else ["-p", "django_jobs.pytest_plugin"]
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    told = subprocess.run(
        [*command, str(file)],
        env={**os.environ, "PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "site_settings"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "5 passed" in told.stdout, told.stdout + told.stderr


def test_the_suite_for_backends_is_here_too() -> None:
    assert testing.TaskBackendConformance is conformance.TaskBackendConformance
    with pytest.raises(AttributeError, match="nonsense"):
        testing.nonsense  # noqa: B018
