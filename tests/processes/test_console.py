"""Consoles of real workers: seen live, complete at the end, and not lost with the worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from django_jobs import events, monitoring
from django_jobs.models import Job
from tests.app.jobs import (
    says,
    says_and_waits,
    says_in_a_transaction,
    says_until_killed,
    speaks_async,
    speaks_python,
)
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def said(job: Job) -> list[str]:
    return [line.text for line in monitoring.console(job.pk, limit=10_000)]


def test_a_running_job_is_heard_before_it_ends(runjobs: Start) -> None:
    runjobs("--processes", "1")
    with events.listen("console") as listener:
        job = says_and_waits.enqueue(60)
        assert listener.hear(20) == {"kind": "console", "ids": [job.pk]}
    assert said(job) == ["begun"]
    assert [(bar.name, bar.percent) for bar in monitoring.progress(job.pk)] == [("waiting", 50.0)]
    assert monitoring.metadata(job.pk) == {"waits": 60}
    assert monitoring.get(job.pk).state == "processing"


def test_who_sees_the_end_of_a_job_sees_its_whole_console(runjobs: Start) -> None:
    jobs = says.enqueue_many([(f"{number}.1", f"{number}.2") for number in range(200)])
    runjobs("--processes", "2")
    for number, job in enumerate(jobs):
        job.wait(timeout=30)
        assert said(job) == [f"{number}.1", f"{number}.2"]


def test_what_a_killed_worker_had_said_stays_and_the_next_run_goes_on(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    job = says_until_killed.enqueue()
    eventually(lambda: len(said(job)) > 50, what="the job has said something")
    os.kill(server.workers()[0].pid, signal.SIGKILL)
    job.wait(timeout=30)
    lines = monitoring.console(job.pk, limit=10_000)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert [line.text for line in lines[:-1]] == [str(number) for number in range(len(lines) - 1)]
    assert [(line.run, line.text) for line in lines[-1:]] == [(2, "again")]
    assert {line.run for line in lines[:-1]} == {1}


def test_a_jobs_open_transaction_and_its_console_do_not_wait_for_each_other(runjobs: Start) -> None:
    runjobs("--processes", "1")
    job = says_in_a_transaction.enqueue(1.0)
    assert job.wait(timeout=30).state == "succeeded"
    assert said(job) == ["inside", "still inside"]


def test_logging_and_print_are_captured_with_the_settings_of_a_new_site(runjobs: Start) -> None:
    runjobs("--processes", "1")
    python, tasks = speaks_python.enqueue(), speaks_async.enqueue()
    python.wait(timeout=30)
    tasks.wait(timeout=30)
    lines = said(python)
    assert lines[:3] == ["printed", "logged lazily", "by another logger"]
    assert lines[3].startswith("with a traceback\nTraceback (most recent call last):")
    assert lines[4:] == ["no newline"]
    assert sorted(said(tasks)) == ["from a thread of asgiref", "from task 0", "from task 1"]
    assert monitoring.metadata(tasks.pk) == {"seen": [1]}


def test_several_jobs_at_a_time_in_one_process_keep_their_words_apart(runjobs: Start) -> None:
    jobs = says.enqueue_many([(f"{number}.1", f"{number}.2") for number in range(100)])
    python = speaks_python.enqueue_many([()] * 10)
    tasks = speaks_async.enqueue_many([()] * 10)
    inside = says_in_a_transaction.enqueue_many([(0.2,)] * 3)
    runjobs("--processes", "1", "--threads", "8")
    for job in (*jobs, *python, *tasks, *inside):
        assert job.wait(timeout=60).state == "succeeded"
    assert [said(job) for job in jobs] == [[f"{number}.1", f"{number}.2"] for number in range(100)]
    ends = ["printed", "logged lazily", "by another logger", "no newline"]
    assert [[*said(job)[:3], *said(job)[4:]] for job in python] == [ends] * 10
    assert [sorted(said(job)) for job in tasks] == [["from a thread of asgiref", "from task 0", "from task 1"]] * 10
    assert [said(job) for job in inside] == [["inside", "still inside"]] * 3
