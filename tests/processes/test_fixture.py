"""The fixture that the other tests of this folder stand on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.app.jobs import adds
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


def test_a_server_runs_a_job_and_ends_when_asked(runjobs: Callable[..., RunJobs]) -> None:
    server = runjobs("--processes", "1")
    job = adds.enqueue(1, 2)
    assert job.wait(timeout=10).result == 3
    server.ask_to_stop()
    assert server.wait() == 0, server.log
    assert server.row is None


def test_nothing_of_a_server_outlives_its_end(runjobs: Callable[..., RunJobs]) -> None:
    server = runjobs("--processes", "2")
    eventually(lambda: len(server.workers()) == 2)
    assert len(server.living()) >= 3
    server.end()
    assert server.living() == []
