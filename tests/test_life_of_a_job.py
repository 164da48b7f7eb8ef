"""Read this first: one job from the call to its end, each step by the function that makes it."""

from __future__ import annotations

import pytest

from django_jobs import execution, monitoring, queues, states
from django_jobs.states import machine
from tests.app.jobs import adds, fails

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = "server/1"
TYPES = ["tests.adds", "tests.fails"]


def test_a_job_from_call_to_success() -> None:
    # The call: one row, committed; then a bell in the RQ queue.
    job = adds.enqueue(2, y=3)
    assert (job.state, job.run) == (states.ENQUEUED, 0)
    client = queues.connect("default", timeout=5)
    popped = queues.pop(client, queues.keys_of(["default"], ""), 10, 0)
    assert popped == ("rq:queue:default", [f"dj:{job.pk}"])

    # The claim: the row is ours, its run number is the fence.
    ids, foreign = queues.split(popped[1])
    (claimed,) = machine.claim(ids, TYPES, WORKER)
    assert (claimed.id, claimed.run, foreign) == (job.pk, 1, [])
    assert machine.claim(ids, TYPES, "server/2") == []

    # The run, and its acknowledgement.
    ended = execution.run(claimed, WORKER)
    answer = machine.acknowledge([ended], WORKER)
    assert (answer.done, answer.stale) == ([ended], [])

    job.refresh_from_db()
    assert (job.state, job.result, job.run) == (states.SUCCEEDED, 5, 1)
    assert job.created_at <= job.started_at <= job.finished_at < job.expires_at
    assert [entry.name for entry in job.history()] == ["enqueued", "processing", "succeeded"]
    assert monitoring.counts()["succeeded"].number == 1


def test_a_failure_keeps_its_traceback_and_can_be_requeued() -> None:
    job = fails.enqueue("no more paper")
    (claimed,) = machine.claim([job.pk], TYPES, WORKER)
    machine.acknowledge([execution.run(claimed, WORKER)], WORKER)

    job.refresh_from_db()
    assert (job.state, job.state_reason, job.failures) == ("failed", "ValueError: no more paper", 1)
    failure = job.history()[-1]
    assert failure.data["exception"] == "ValueError"
    assert failure.data["traceback"].endswith("ValueError: no more paper")

    assert job.requeue()
    job.refresh_from_db()
    assert (job.state, job.failures, job.attempt) == ("enqueued", 0, 1)
    assert [entry.name for entry in job.history()] == ["enqueued", "processing", "failed", "enqueued"]


def test_a_stale_worker_cannot_finish_a_newer_run() -> None:
    job = adds.enqueue(1, 1)
    (first,) = machine.claim([job.pk], TYPES, WORKER)
    machine.release(WORKER, "it was believed dead")
    (second,) = machine.claim([job.pk], TYPES, "server/2")

    late = machine.acknowledge([execution.run(first, WORKER)], WORKER)
    assert (late.done, [run.id for run in late.stale]) == ([], [job.pk])
    job.refresh_from_db()
    assert (job.state, job.worker, job.run) == ("processing", "server/2", 2)

    machine.acknowledge([execution.run(second, "server/2")], "server/2")
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", 2)
    names = [entry.name for entry in job.history()]
    assert names == ["enqueued", "processing", "enqueued", "processing", "succeeded"]
    assert monitoring.counts()["succeeded"].number == 1
