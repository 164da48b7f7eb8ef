"""Django Tasks on jobs: the published suite, and what is ours alone."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django
import pytest
from asgiref.sync import async_to_sync
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings

from django_jobs import client, clock, execution, monitoring, queues
from django_jobs.console import outbox
from django_jobs.creation import Options
from django_jobs.exceptions import InvalidJob, JobCancelled
from django_jobs.models import Job, RecurringJob
from django_jobs.registry import registry
from django_jobs.server import dispatcher
from django_jobs.states import filters, machine
from django_jobs.tasks_backend import JobsBackend, JobTask, JobTaskContext, task
from django_jobs.tasks_backend.compat import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_finished,
    task_started,
)
from django_jobs.tasks_backend.conformance import TaskBackendConformance
from django_jobs.tasks_backend.running import TaskRuns
from django_jobs.testing import drain as drain_of_a_site
from tests.app import tasks as ours
from tests.app.jobs import adds, succeeds
from tests.app.tasks import tasks

OURS = "django_jobs.tasks_backend.JobsBackend"
WORKER = "s/1"


def drain() -> None:
    """Do what a server of one worker does, until nothing is due."""
    client = queues.connect("default", timeout=5)
    keys = [key for name in queues.names() for key in queues.keys_of([name], "")]
    while True:
        dispatcher.dispatch_due()
        popped = queues.pop(client, keys, 1, 0)
        if popped is None or not popped[1]:
            return
        ids, _ = queues.split(popped[1])
        for claimed in machine.claim(ids, registry.names(), WORKER):
            machine.acknowledge([execution.run(claimed, WORKER)], WORKER)


class TestOnJobs(TaskBackendConformance, TransactionTestCase):
    def drain(self) -> None:
        drain()


@override_settings(TASKS={"default": {"BACKEND": OURS}, "second": {"BACKEND": OURS, "QUEUES": ["default", "critical"]}})
class TestOnJobsUnderAnotherAlias(TaskBackendConformance, TransactionTestCase):
    backend = "second"

    def drain(self) -> None:
        drain()


IMMEDIATE = {True: "django.tasks", False: "django_tasks"}[django.VERSION >= (6, 0)] + ".backends.immediate"


@override_settings(
    TASKS={"default": {"BACKEND": OURS}, "now": {"BACKEND": f"{IMMEDIATE}.ImmediateBackend", "QUEUES": ["default"]}}
)
class TestSuiteItself(TaskBackendConformance, TransactionTestCase):
    """The suite asks nothing that only our backend gives: the one that comes with the framework passes it."""

    backend = "now"

    def drain(self) -> None:
        """It has run already."""


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def finished() -> Iterator[list[Any]]:
    """The results that `task_finished` told of."""
    told: list[Any] = []

    def note(sender: Any, task_result: Any, **kwargs: Any) -> None:
        told.append((sender, task_result))

    task_finished.connect(note, weak=False)
    yield told
    task_finished.disconnect(note)


def read(result: Any) -> Any:
    return task_backends["default"].get_result(result.id)


def test_a_call_joins_the_callers_transaction() -> None:
    with pytest.raises(LookupError), transaction.atomic():
        lost = tasks.succeeds.enqueue(1)
        assert read(lost).status == TaskResultStatus.READY
        raise LookupError
    with pytest.raises(TaskResultDoesNotExist):
        read(lost)
    drain()
    assert not Job.objects.exists()


def test_an_enqueue_is_one_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        tasks.succeeds.enqueue(1)


def test_a_task_is_a_job_type_like_others() -> None:
    result = ours.says_something.enqueue("hello")
    job = Job.objects.get(pk=result.id)
    assert (job.job_type, job.queue, job.priority) == ("tests.app.tasks.says_something", "critical", 7)
    assert (job.args, job.headers) == (
        ["hello"],
        {"django.tasks": {"backend": "default", "enqueued_at": result.enqueued_at.isoformat()}},
    )
    drain()
    outbox.flush()
    assert [line.text for line in monitoring.console(job.pk)] == ["hello"]
    assert monitoring.metadata(job.pk) == {"word": "hello"}


def test_a_job_made_otherwise_is_a_task_all_the_same() -> None:
    RecurringJob.objects.add_or_update("t", tasks.succeeds.module_path, cron="0 0 1 1 *", args=[5])
    job = RecurringJob.objects.get(pk="t").trigger()
    assert job is not None
    drain()
    result = task_backends["default"].get_result(str(job.pk))
    assert (result.return_value, result.backend, result.task) == (5, "default", tasks.succeeds)


@pytest.mark.parametrize(
    "wrong", [{"enqueued_at": "now"}, {"enqueued_at": 5}, {"run_after": None}, {"backend": []}, {"backend": None}]
)
def test_what_another_wrote_under_the_name_of_tasks_does_no_harm(wrong: dict[str, Any]) -> None:
    told = {"backend": "default", "enqueued_at": "2030-01-01T00:00:00+00:00", **wrong}
    options = Options(headers={"django.tasks": told})
    (job,) = client.enqueue(tasks.succeeds.module_path, [((5,), {})], options)
    drain()
    assert task_backends["default"].get_result(str(job.pk)).return_value == 5


def test_a_plain_job_is_no_task() -> None:
    for call in (succeeds, succeeds.using(headers={"django.tasks": "mine"})):
        with pytest.raises(TaskResultDoesNotExist):
            task_backends["default"].get_result(str(call.enqueue(1).pk))


def test_a_failed_task_is_not_tried_again_unless_it_says_so() -> None:
    with override_settings(DJANGO_JOBS={"RETRY": {"attempts": 5}}):
        result = tasks.fails.enqueue("once")
        drain()
    assert (read(result).status, read(result).attempts) == (TaskResultStatus.FAILED, 1)


def test_attempts_errors_and_backoff(finished: list[Any]) -> None:
    ours.asked.clear()
    result = ours.fails_twice.enqueue()
    drain()
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, 3, 3)
    assert [error.exception_class for error in result.errors] == [ConnectionError, ConnectionError]
    assert result.worker_ids == [WORKER] * 3
    assert result.started_at < result.last_attempted_at < result.finished_at
    assert ours.asked == [("ConnectionError", 1, result.id), ("ConnectionError", 2, result.id)]
    assert [told for _, told in finished] == [read(result)]


def test_no_exception_is_kept_longer_than_its_signal() -> None:
    ours.fails_twice.enqueue()
    tasks.fails.enqueue("once")
    drain()
    (kept,) = [one for one in filters.chain("perform", ours.fails_twice.module_path) if isinstance(one, TaskRuns)]
    assert kept._raised == {}


def test_a_backoff_can_give_up() -> None:
    result = ours.fails_for_good.enqueue()
    drain()
    assert (read(result).status, read(result).attempts) == (TaskResultStatus.FAILED, 1)


def test_a_time_limit() -> None:
    result = ours.takes_too_long.enqueue()
    drain()
    (error,) = read(result).errors
    assert issubclass(error.exception_class, TimeoutError)


def test_a_run_that_was_put_back_is_no_attempt() -> None:
    result = tasks.succeeds.enqueue(1)
    machine.claim([int(result.id)], registry.names(), "dead/1")
    assert (read(result).status, read(result).worker_ids) == (TaskResultStatus.RUNNING, ["dead/1"])
    machine.release("dead/1", "it was believed dead")
    assert (read(result).status, read(result).worker_ids, read(result).started_at) == (TaskResultStatus.READY, [], None)
    Job.objects.get(pk=result.id).cancel()


def test_a_cancelled_task_has_failed_and_is_told(finished: list[Any]) -> None:
    result = tasks.succeeds.using(run_after=clock.now() + timedelta(hours=1)).enqueue(1)
    assert Job.objects.get(pk=result.id).cancel()
    now = read(result)
    assert (now.status, now.attempts, now.errors[0].exception_class) == (TaskResultStatus.FAILED, 0, JobCancelled)
    assert "Cancelled" in now.errors[0].traceback
    assert finished == [(JobsBackend, now)]


def test_a_finished_task_is_told_once_and_a_deleted_result_is_gone(finished: list[Any]) -> None:
    result = tasks.succeeds.enqueue(1)
    drain()
    machine.move([int(result.id)], machine.Target("deleted", "Deleted"), expected={"succeeded"})
    assert len(finished) == 1
    with pytest.raises(TaskResultDoesNotExist):
        read(result)


def test_the_end_is_told_when_it_is_committed() -> None:
    seen: list[Any] = []

    def look(sender: Any, task_result: Any, **kwargs: Any) -> None:
        seen.append((connection.in_atomic_block, read(task_result).status, task_result.return_value))
        raise RuntimeError("a receiver that fails")

    task_finished.connect(look)
    try:
        tasks.succeeds.enqueue(4)
        drain()
    finally:
        task_finished.disconnect(look)
    assert seen == [(False, TaskResultStatus.SUCCESSFUL, 4)]


def test_aliases_do_not_see_each_others_results() -> None:
    with override_settings(TASKS={"default": {"BACKEND": OURS}, "second": {"BACKEND": OURS}}):
        result = tasks.succeeds.using(backend="second").enqueue(1)
        assert task_backends["second"].get_result(result.id) == result
        with pytest.raises(TaskResultDoesNotExist):
            task_backends["default"].get_result(result.id)


def test_old_results_stay_readable_when_settings_change() -> None:
    with override_settings(TASKS={"default": {"BACKEND": OURS, "QUEUES": ["critical"]}}):
        pass
    result = tasks.succeeds.using(queue_name="low-priority", priority=9).enqueue(1)
    drain()
    with override_settings(TASKS={"default": {"BACKEND": OURS, "QUEUES": ["critical"]}}):
        again = read(result)
        assert (again.return_value, again.task.queue_name, again.task.priority) == (1, "low-priority", 9)
        with pytest.raises(InvalidTask):
            again.task.enqueue(2)


def test_a_result_outlives_the_code_of_its_task() -> None:
    result = tasks.succeeds.enqueue(1)
    drain()
    Job.objects.filter(pk=result.id).update(job_type="gone.tasks.retired")
    again = read(result)
    assert (again.return_value, again.task.module_path, again.task.name) == (1, "gone.tasks.retired", "retired")
    with pytest.raises(InvalidJob):
        again.task.call()
    with pytest.raises(InvalidTask):
        again.task.enqueue()
    assert "gone.tasks.retired" not in registry


def test_tests_of_a_site_drain_tasks_too() -> None:
    with transaction.atomic():
        result = ours.fails_twice.enqueue()
        drain_of_a_site()
        assert (read(result).return_value, read(result).attempts) == (3, 3)


def test_a_task_that_no_worker_knows_waits() -> None:
    result = tasks.succeeds.enqueue(1)
    assert machine.claim([int(result.id)], ["tests.adds"], WORKER) == []
    assert read(result).status == TaskResultStatus.READY


def test_arguments_that_do_not_fit_are_refused_at_the_door() -> None:
    for args, kwargs in ((("too", "many", "of", "them"), {}), (("\x00",), {}), ((float("nan"),), {}), ((), {"no": 1})):
        with pytest.raises(ValueError):
            tasks.succeeds.enqueue(*args, **kwargs)
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        tasks.succeeds.enqueue(loop)
    with pytest.raises(ValueError):
        tasks.succeeds.enqueue("x" * 300_000)
    assert not Job.objects.exists()


def test_a_value_that_cannot_be_stored_as_it_is_fails() -> None:
    results = [tasks.succeeds.enqueue(value) for value in ("x" * 200_000, 1)]
    with override_settings(DJANGO_JOBS={"RETRY": None, "MAX_PAYLOAD": 1000}):
        drain()
    assert [read(result).status for result in results] == [TaskResultStatus.FAILED, TaskResultStatus.SUCCESSFUL]


def test_keys_become_text_as_in_any_json() -> None:
    result = tasks.succeeds.enqueue({1: "one"})
    drain()
    assert read(result).return_value == {"1": "one"}


def test_a_time_may_be_a_span() -> None:
    before = clock.now()
    later = tasks.succeeds.using(run_after=timedelta(hours=1))
    assert before + timedelta(hours=1) <= later.run_after <= clock.now() + timedelta(hours=1)
    for wrong in (timedelta.max, "soon"):
        with pytest.raises((InvalidTask, OverflowError)):
            tasks.succeeds.using(run_after=wrong)


def test_a_first_run_reads_no_row_for_its_context(django_assert_num_queries: Any) -> None:
    result = tasks.tells.using(priority=3).enqueue("word")
    (claimed,) = machine.claim([int(result.id)], registry.names(), WORKER)
    told: list[Any] = []

    def note(sender: Any, task_result: Any, **kwargs: Any) -> None:
        told.append(task_result)

    task_started.connect(note)
    with django_assert_num_queries(0):
        run = execution.run(claimed, WORKER)
    task_started.disconnect(note)
    now = read(result)
    assert (told[0].task, told[0].args, told[0].enqueued_at) == (now.task, now.args, now.enqueued_at)
    assert (told[0].worker_ids, told[0].status) == (now.worker_ids, now.status)
    assert now.started_at <= told[0].started_at
    machine.acknowledge([run], WORKER)


def test_a_policy_that_cannot_be_is_refused() -> None:
    for policy in ({"max_attempts": 0}, {"max_attempts": "3"}, {"backoff": 5}, {"timeout": -1}, {"timeout": "x"}):
        with pytest.raises(InvalidTask, match=next(iter(policy))):
            task(**policy)(not_a_task_yet)
    for priority in ("high", True, None):
        with pytest.raises(InvalidTask):
            task(priority=priority)(not_a_task_yet)  # type: ignore[arg-type]
    assert f"{__name__}.not_a_task_yet" not in registry


def test_the_policy_of_the_backend() -> None:
    settings = {"BACKEND": OURS, "MAX_ATTEMPTS": 4, "BACKOFF": "tests.app.tasks.in_no_time"}
    with override_settings(TASKS={"default": settings}):
        task(has_no_policy)
    job_type = registry.get(f"{__name__}.has_no_policy")
    assert job_type.retry is not None
    assert (job_type.retry.attempts, job_type.retry.backoff) == (3, ours.in_no_time)


def test_our_decorator_serves_any_backend() -> None:
    with override_settings(TASKS={"default": {"BACKEND": f"{IMMEDIATE}.ImmediateBackend"}}):
        made = task(max_attempts=3)(not_a_task_yet)
        assert isinstance(made, JobTask)
        assert made.enqueue().status == TaskResultStatus.SUCCESSFUL


@pytest.mark.skipif((6, 0) <= django.VERSION < (6, 1), reason="Django 6.0's own decorator takes no policy")
def test_djangos_own_decorator_takes_the_policy() -> None:
    from django_jobs.tasks_backend.compat import task as of_django

    made: Any = of_django(max_attempts=3, timeout=9)(takes_a_policy)  # type: ignore[call-overload]
    job_type = registry.get(made.module_path)
    assert job_type.retry is not None
    assert (made.max_attempts, job_type.retry.attempts, job_type.timeout) == (3, 2, 9)


@pytest.mark.skipif(django.VERSION < (6, 1), reason="tasks can be pickled from Django 6.1 on")
def test_a_task_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(ours.fails_twice)) == ours.fails_twice
    result = ours.fails_twice.enqueue()
    assert pickle.loads(pickle.dumps(result)) == result


def test_async_code_joins_the_transaction_of_its_thread() -> None:
    async def call() -> Any:
        return await tasks.succeeds.aenqueue(1)

    with pytest.raises(LookupError), transaction.atomic():
        async_to_sync(call)()
        raise LookupError
    assert not Job.objects.exists()


def test_the_context_has_ours() -> None:
    assert set(JobTaskContext.__dataclass_fields__) == {"task_result", "job"}


def test_checks_tell_of_wrong_settings() -> None:
    wrong = {"BACKEND": OURS, "QUEUES": ["default", "nowhere"], "MAX_ATTEMPTS": 0}
    with override_settings(TASKS={"default": wrong}):
        found = [message.id for message in run_checks() if "TASKS" in message.msg]
    assert found == ["django_jobs.E009", "django_jobs.E010"]


def test_job_functions_are_no_tasks() -> None:
    with pytest.raises(InvalidTask):
        task(adds)


ELSEWHERE = """
import sys, unittest
import django
from django.conf import settings
backend = {{"BACKEND": "{immediate}.ImmediateBackend"}}
database = {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(INSTALLED_APPS=[], TASKS={{"default": backend}}, DATABASES={{"default": database}}, USE_TZ=True)
django.setup()
from django.test import TransactionTestCase
from django_jobs.tasks_backend.conformance import TaskBackendConformance
class TestElsewhere(TaskBackendConformance, TransactionTestCase):
    def drain(self): pass
unittest.main(argv=["suite"])
"""


@pytest.mark.once
def test_the_suite_serves_projects_without_our_app() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": ""}
    script = ELSEWHERE.format(immediate=IMMEDIATE)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Ran \d\d tests.*OK", done.stderr, re.DOTALL), done.stderr


def not_a_task_yet() -> None: ...


def has_no_policy() -> None: ...


def takes_a_policy() -> None: ...
