"""A2: the job is part of the caller's transaction, and a Redis that is away costs the caller nothing."""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test import override_settings

from django_jobs import queues
from django_jobs.models import Job
from django_jobs.queues import bells as bells_of_queues
from django_jobs.server.dispatcher import sweep
from django_jobs.transactions import atomic
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)


def bells() -> set[int]:
    return queues.waiting("default")


def test_a_rolled_back_transaction_leaves_no_row_and_no_bell() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        adds.enqueue(1, 2)
        raise ZeroDivisionError
    assert not Job.objects.exists()
    assert bells() == set()


def test_a_bell_is_rung_only_after_the_commit() -> None:
    with transaction.atomic():
        job = adds.enqueue(1, 2)
        assert job.pk
        assert bells() == set()
    assert bells() == {job.pk}


def test_a_rolled_back_savepoint_takes_only_its_own_jobs() -> None:
    with transaction.atomic():
        kept = adds.enqueue(1, 2)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            adds.enqueue(3, 4)
            raise ZeroDivisionError
        also = adds.enqueue(5, 6)
        with transaction.atomic():
            inner = adds.enqueue(7, 8)
    assert bells() == {kept.pk, also.pk, inner.pk}


def test_all_jobs_of_a_transaction_are_one_push(monkeypatch: pytest.MonkeyPatch) -> None:
    pushes: list[int] = []
    push = bells_of_queues._push

    def counted(queue: str, named: dict[str, list[str]], front: bool) -> bool:
        pushes.append(sum(map(len, named.values())))
        return push(queue, named, front)

    monkeypatch.setattr(bells_of_queues, "_push", counted)
    with transaction.atomic():
        for n in range(20):
            adds.enqueue(n, n)
    assert pushes == [20]


@pytest.fixture
def no_redis() -> Any:
    away = {"URL": "redis://127.0.0.1:1/0"}
    with override_settings(RQ_QUEUES={"critical": away, "default": away, "low-priority": away}):
        queues.hang_up()
        yield
    queues.hang_up()


def test_a_commit_succeeds_while_redis_is_away(no_redis: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "django_jobs"), transaction.atomic():
        job = adds.enqueue(1, 2)
    assert Job.objects.get().state == "enqueued"
    assert "Redis cannot be reached" in caplog.text
    assert "wait for the sweep" in caplog.text
    caplog.clear()
    assert adds.enqueue(3, 4).pk != job.pk
    assert caplog.text == "", "the broken line is not tried again at once"


def test_the_sweep_rings_for_a_job_without_a_bell(monkeypatch: pytest.MonkeyPatch, live_server_row: Any) -> None:
    monkeypatch.setattr("django_jobs.server.dispatcher.SETTLED", 0)
    away = {"URL": "redis://127.0.0.1:1/0"}
    with override_settings(RQ_QUEUES={"default": away}):
        queues.hang_up()
        lost = adds.using(priority=60).enqueue(1, 2)
    queues.hang_up()
    kept = adds.enqueue(3, 4)
    sweep()
    assert bells() == {lost.pk, kept.pk}
    client = queues.connect("default", timeout=5)
    assert client.llen("rq:queue:default:+3") == 1, "it waits in the band of its priority"
    assert client.llen("rq:queue:default") == 1, "a bell that is there is not rung again"


def test_a_job_that_no_server_knows_waits_and_says_so(monkeypatch: pytest.MonkeyPatch, live_server_row: Any) -> None:
    monkeypatch.setattr("django_jobs.server.dispatcher.SETTLED", 0)
    job = adds.enqueue(1, 2)
    Job.objects.filter(pk=job.pk).update(job_type="gone.away")
    queues.connect("default", timeout=5).flushdb()
    sweep()
    job.refresh_from_db()
    assert (job.state, job.state_reason) == ("enqueued", "No worker knows this type")
    assert bells() == set(), "it is not rung until somebody knows it"

    live_server_row.types = [*live_server_row.types, "gone.away"]
    live_server_row.save()
    sweep()
    assert bells() == {job.pk}


@pytest.mark.skipif(connection.vendor != "sqlite", reason="it has one lock for all rows")
def test_a_verb_has_the_lock_of_sqlite_before_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.ensure_connection()
    monkeypatch.setattr(connections["default"], "transaction_mode", None)  # as without settings of the site
    other = sqlite3.connect(connection.settings_dict["NAME"], timeout=0, uri=True)
    job = adds.enqueue(1, 2)
    with atomic():
        assert Job.objects.get(pk=job.pk).state == "enqueued"
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("UPDATE django_jobs_job SET priority = 1")
        assert job.cancel()
    assert connection.transaction_mode is None
    with transaction.atomic():
        assert Job.objects.get(pk=job.pk).state == "deleted"
        other.execute("UPDATE django_jobs_job SET priority = 1")  # the site's own transactions are as it has them
        other.commit()
    other.close()
