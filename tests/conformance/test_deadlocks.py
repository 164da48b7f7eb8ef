"""Deadlocks: rows are locked in one order, and the verb that the database ends is made again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction

from django_jobs import client, execution
from django_jobs.conf import settings
from django_jobs.models import Job
from django_jobs.states import machine, moves
from django_jobs.states.deadlocks import MARIADB, TRIES
from django_jobs.states.dialects import statements
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)

ME = "server/1"


def deadlocks(monkeypatch: pytest.MonkeyPatch, times: int, code: int = MARIADB) -> list[int]:
    """So many moves are ended by the database, late in their transactions; returns the tries."""
    honest: Any = moves._count
    tries: list[int] = []

    def falters(*args: Any) -> None:
        honest(*args)
        tries.append(1)
        if len(tries) <= times:
            raise OperationalError(code, "Deadlock found when trying to get lock; try restarting transaction")

    monkeypatch.setattr(moves, "_count", falters)
    return tries


@pytest.mark.parametrize("verb", ["cancel", "pause", "delete"])
def test_a_verb_that_a_deadlock_ended_is_made_again(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    job = adds.enqueue(1, 2)
    deadlocks(monkeypatch, TRIES - 1)
    assert getattr(client, verb)([job.pk]) == [job.pk]
    job.refresh_from_db()
    assert [entry.name for entry in job.history()] == ["enqueued", job.state], "it is noted once"


def test_a_verb_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    job = adds.enqueue(1, 2)
    tries = deadlocks(monkeypatch, 99)
    with pytest.raises(OperationalError):
        client.cancel([job.pk])
    assert len(tries) == TRIES
    job.refresh_from_db()
    assert job.state == "enqueued"


def test_other_errors_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = deadlocks(monkeypatch, 99, code=2006)
    with pytest.raises(OperationalError):
        client.cancel([adds.enqueue(1, 2).pk])
    assert len(tries) == 1


def test_the_callers_transaction_is_the_callers_to_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    job = adds.enqueue(1, 2)
    tries = deadlocks(monkeypatch, 99)
    with pytest.raises(OperationalError), transaction.atomic():
        client.cancel([job.pk])
    assert len(tries) == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="locks no rows")
@pytest.mark.parametrize("verb", ["cancel", "pause"])
def test_a_verb_outlives_a_deadlock_of_the_database(verb: str) -> None:
    first, second = (job.pk for job in adds.enqueue_many([(1, 1), (2, 2)]))
    locked = threading.Event()

    def locks_the_other_way_round() -> None:
        with transaction.atomic():
            jobs = Job.objects.all()
            jobs.filter(pk=second).update(state_reason="last first")
            locked.set()
            time.sleep(0.5)  # the verb waits for that row by now, and holds the other one
            jobs.filter(pk=first).update(state_reason="first last")
        connections.close_all()

    thread = threading.Thread(target=locks_the_other_way_round)
    thread.start()
    locked.wait(10)
    try:
        assert sorted(getattr(client, verb)([first, second])) == [first, second]
    finally:
        thread.join()


def test_runs_are_recorded_in_the_order_of_their_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(4)])
    runs = [execution.run(one, ME) for one in machine.claim([job.pk for job in jobs], ["tests.adds"], ME)]
    runs.sort(key=lambda run: -run.id)
    kind = type(statements(settings.DATABASE))
    honest: Any = kind.finish
    seen: list[list[int]] = []

    def look(self: Any, given: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        seen.append([run.id for run in given])
        return honest(self, given, *args, **kwargs)

    monkeypatch.setattr(kind, "finish", look)
    assert len(machine.acknowledge(runs, ME).done) == 4
    assert seen == [sorted(job.pk for job in jobs)]
