"""New jobs go in as one statement for a set: what comes back must be what was given, on every database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DataError, IntegrityError, transaction

from django_jobs import client, clock
from django_jobs.creation import Options
from django_jobs.models import Job
from django_jobs.states import creating, machine, moves
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db(transaction=True)

NASTY: list[list[Any]] = [
    [],
    [1],
    [True],
    [None],
    [0.1, 1.0, -2.5e-7, 10**30, -(2**63)],
    ["", "ä 漢 🎉 \"double\" 'single' \\ back % %s {x} $1 \n\t"],
    [[], {}, [[None]], {"a": {"b": [True, False, None]}, "": "empty key", "é'\"": 1}],
    ["null"],
]


def stored(jobs: list[Job]) -> list[Job]:
    found = Job.objects.in_bulk([job.pk for job in jobs])
    return [found[job.pk] for job in jobs]


def same(job: Job) -> str:
    """As text, since 1 and True and 1.0 are equal to Python. PostgreSQL sorts the keys of objects."""
    return json.dumps([job.args, job.kwargs], sort_keys=True)


def raw(args: list[Any], kwargs: dict[str, Any], **columns: Any) -> Job:
    now = clock.now()
    base = {"job_type": "tests.other", "state": "scheduled", "created_state": "scheduled"}
    return Job(**base | columns, args=args, kwargs=kwargs, state_at=now, created_at=now)


def test_a_set_comes_back_as_it_was_given_and_in_order() -> None:
    jobs = [raw(args, {"x": args, "n": number}) for number, args in enumerate(NASTY)]
    machine.create(jobs)
    assert [job.pk for job in jobs] == sorted(job.pk for job in jobs)
    for job, back in zip(jobs, stored(jobs), strict=True):
        assert same(back) == same(job)


@pytest.mark.parametrize("args", NASTY, ids=range(len(NASTY)))
def test_what_came_alone_and_what_came_in_a_set_are_found_alike(args: list[Any]) -> None:
    jobs = [*machine.create([raw(args, {"x": args})]), *machine.create([raw(args, {"x": args}) for _ in range(2)])]
    machine.create([raw(["other"], {}) for _ in range(2)])
    assert list(Job.objects.filter(args=args).order_by("pk")) == jobs
    assert list(Job.objects.filter(kwargs={"x": args}).order_by("pk")) == jobs


@pytest.mark.parametrize("args", NASTY, ids=range(len(NASTY)))
def test_one_comes_back_as_it_was_given(args: list[Any]) -> None:
    [job] = machine.create([raw(args, {"x": args})])
    [back] = stored([job])
    assert same(back) == same(job)
    assert back.result is None


def test_every_column_may_differ_within_a_set() -> None:
    user = User.objects.create_user("ann")
    when = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)
    plain = {"queue": "default", "priority": 0, "tags": [], "scheduled_at": None, "created_by": None}
    other = {"queue": "critical", "priority": -7, "tags": ["a", "b"], "scheduled_at": when, "created_by": user}
    jobs = [raw([1], {}, **plain), raw([2], {}, **other), raw([3], {}, **plain)]
    machine.create(jobs)
    for given, back in zip([plain, other, plain], stored(jobs), strict=True):
        assert {name: getattr(back, name) for name in given} == given


def test_what_all_share_is_stored_for_all() -> None:
    user = User.objects.create_user("ann", "ann@example.org")
    options = Options(queue="critical", priority=9, tags=["x"], created_by=user, run_after=timedelta(hours=1))
    jobs = client.enqueue("tests.adds", [((n, n), {}) for n in range(3)], options)
    for job in stored(jobs):
        assert (job.queue, job.priority, job.tags, job.created_by, job.created_by_name) == (
            *("critical", 9, ["x"], user, "ann"),
        )
        assert job.scheduled_at == jobs[0].scheduled_at
        assert (job.state, job.run, job.result, job.finished_at) == ("scheduled", 0, None, None)


def test_the_jobs_that_come_back_are_whole_models() -> None:
    first, second = adds.enqueue_many([(1, 2), (3, 4)])
    assert (first._state.adding, first._state.db) == (False, "default")
    second.refresh_from_db()
    assert second.args == [3, 4]
    assert first != second
    assert first.cancel()


def test_a_set_beyond_one_statement_is_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creating, "SET_SIZE", 2)
    monkeypatch.setattr(moves, "SET_SIZE", 2)
    jobs = [raw([n], {}) for n in range(5)]
    jobs[4].queue = "q" * 101
    if transaction.get_connection().vendor == "sqlite":  # it has no lengths; any other refusal will do
        jobs[4].queue = None  # type: ignore[assignment]
    with pytest.raises((DataError, IntegrityError)):
        machine.create(jobs)
    assert not Job.objects.exists()


def test_a_job_of_nothing_but_defaults() -> None:
    job = succeeds.enqueue()
    job.refresh_from_db()
    assert (job.args, job.kwargs, job.tags, job.state) == ([], {}, [], "enqueued")


def test_a_set_of_jobs_that_are_all_the_same_is_stored_in_full() -> None:
    jobs = succeeds.enqueue_many([()] * 3)
    assert sorted(Job.objects.values_list("pk", flat=True)) == [job.pk for job in jobs]
    assert len({job.pk for job in jobs}) == 3
