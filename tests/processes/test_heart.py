"""A worker whose writes wait for somebody else's lock is alive, and shows it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from django_jobs.models import Job
from tests.app.jobs import sleeps
from tests.processes.test_runjobs import reload, running
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_lock_of_the_site_on_a_job_does_not_make_its_worker_look_dead(
    runjobs: Callable[..., RunJobs], threads: str
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite locks the whole database: nobody can write meanwhile")
    intervals = ("--heartbeat-interval", "0.3", "--server-timeout", "1.5")
    server = runjobs("--processes", "1", "--threads", threads, *intervals)
    job = running(sleeps.enqueue(0.6))
    (worker,) = server.workers()
    with transaction.atomic():
        Job.objects.select_for_update().get(pk=job.pk)
        end = time.monotonic() + 5  # three time-outs
        while time.monotonic() < end:
            before = worker.heartbeat_at
            eventually(lambda before=before: (worker.refresh_from_db(), worker.heartbeat_at > before)[1])  # type: ignore[misc]
    eventually(lambda: reload(job).state == "succeeded")
    assert job.run == 1
    assert "sign of life" not in server.log
    assert "declared dead" not in server.log
