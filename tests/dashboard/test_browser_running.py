"""A long job in a real browser, on real worker processes: paused, killed, resumed and cancelled by its page."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from django_jobs import monitoring
from django_jobs.models import Job
from tests.app.longjobs import walks
from tests.dashboard.test_browser import sign_in
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.browser, pytest.mark.processes, pytest.mark.django_db(transaction=True)]


def reload(job: Job) -> Job:
    job.refresh_from_db()
    return job


def done(job: Job) -> float:
    return max((bar.value for bar in monitoring.progress(job.pk)), default=0.0)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_an_import_is_paused_killed_resumed_and_cancelled(
    page: Page, live_server: Any, runjobs: Callable[..., RunJobs]
) -> None:
    server = runjobs("--processes", "1")
    job = walks.enqueue(100_000)
    eventually(lambda: done(job) > 0)
    sign_in(page, str(live_server.url))
    page.goto(f"{live_server.url}/admin/django_jobs/job/{job.pk}/change/")

    press(page, "Pause")
    page.get_by_text(f"Job #{job.pk} was asked to pause at its next checkpoint.").wait_for()
    eventually(lambda: reload(job).state == "paused")
    page.reload()
    assert "Paused by root" in page.locator(".dj-now").inner_text()
    reached = done(job)

    press(page, "Resume")
    page.get_by_text(f"Job #{job.pk} was resumed.").wait_for()
    eventually(lambda: reload(job).state == "processing" and done(job) > reached)
    assert job.run == 2

    os.kill(server.workers()[0].pid, signal.SIGKILL)
    eventually(lambda: reload(job).run == 3 and done(job) > reached)
    page.reload()
    assert "1 worker died under this job" in page.locator(".dj-summary").inner_text()

    press(page, "Cancel")
    page.get_by_text(f"Job #{job.pk} was cancelled.").wait_for()
    eventually(lambda: reload(job).asked == "")
    page.reload()
    assert "Cancelled by root" in page.locator(".dj-now").inner_text()
    assert page.get_by_role("button", name="Cancel by force").count() == 0
