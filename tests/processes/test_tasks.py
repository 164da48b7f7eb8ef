"""Django Tasks with real workers: what one process enqueues, another runs, and any reads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from django_jobs.models import Job
from django_jobs.tasks_backend.compat import TaskResultStatus, task_backends
from tests.app import tasks as ours
from tests.app.tasks import tasks
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def ended(result: Any, timeout: float = 20.0) -> Any:
    Job.objects.get(pk=result.id).wait(timeout)
    return task_backends["default"].get_result(result.id)


def test_tasks_run_in_workers_and_are_read_here(runjobs: Start) -> None:
    results = [
        tasks.succeeds.enqueue([1, 2]),
        tasks.succeeds_async.enqueue("a"),
        tasks.fails.enqueue("no paper"),
        tasks.tells.enqueue("word"),
        ours.fails_twice.enqueue(),
        ours.takes_too_long.enqueue(),
    ]
    server = runjobs("--processes", "1")
    one, two, three, four, five, six = (ended(result) for result in results)
    assert (one.return_value, two.return_value, five.return_value) == ([1, 2], "a", 3)
    assert four.return_value == ["word", 1, four.id, "RUNNING"]
    assert (three.errors[0].exception_class, five.attempts) == (ValueError, 3)
    assert issubclass(six.errors[0].exception_class, TimeoutError)
    assert set(five.worker_ids) == {worker.name for worker in server.workers()}
    for told in (
        "Task id=%s path=django_jobs.tasks_backend.conformance.tasks.fails state=FAILED",
        "ValueError: no paper",
    ):
        assert told.replace("%s", three.id) in server.log


def test_a_task_survives_its_worker(runjobs: Start) -> None:
    result = ours.sleeps_in_its_first_run.enqueue()
    server = runjobs("--processes", "1")
    eventually(lambda: task_backends["default"].get_result(result.id).status == TaskResultStatus.RUNNING)
    (worker,) = server.workers()
    os.kill(worker.pid, signal.SIGKILL)
    again = ended(result)
    assert (again.status, again.return_value, again.attempts) == (TaskResultStatus.SUCCESSFUL, 2, 1)
    assert again.worker_ids != [worker.name]
