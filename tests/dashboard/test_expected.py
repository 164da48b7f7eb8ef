"""The pages say what is to be expected of jobs, batches, queues and recurring jobs, as far as that can be told."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.html import strip_tags

from django_jobs import Batch, clock
from django_jobs.clock import clock as the_clock
from django_jobs.models import Job, RecurringJob, Server
from django_jobs.states import machine
from django_jobs.testing import drain
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import AsUser

pytestmark = pytest.mark.django_db(transaction=True)


def have_run(seconds: float, number: int = 20) -> None:
    """So many runs of the past that took so long."""
    adds.enqueue_many([(1, 1)] * number)
    drain()
    for job in Job.objects.all():
        assert job.finished_at is not None
        Job.objects.filter(pk=job.pk).update(started_at=job.finished_at - timedelta(seconds=seconds))


def facts(browser: Client, job: Job) -> dict[str, str]:
    """Labels and texts of the page."""
    page = browser.get(f"/admin/django_jobs/job/{job.pk}/change/").content.decode()
    pairs = re.findall(r"<dt[^>]*>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {strip_tags(label).strip(): " ".join(strip_tags(text).split()) for label, text in pairs}


def expected(browser: Client, job: Job) -> dict[str, str]:
    """Those that speak of what is expected."""
    return {label: text for label, text in facts(browser, job).items() if label.endswith("as expected")}


def batch_expected(browser: Client, batch: Batch) -> str:
    return str(browser.get(f"/admin/django_jobs/batch/{batch.pk}/expected/").json()["text"])


def test_with_a_history_it_says_when_and_how_sure_it_is(as_root: Client, live_server_row: Server) -> None:
    have_run(30)
    waiting = adds.enqueue_many([(1, 1)] * 3)[-1]
    assert expected(as_root, waiting) == {
        "Starts, as expected": "in 1 min 0 s (1 min 0 s to 1 min 0 s)",
        "Ends, as expected": "in 1 min 30 s (1 min 30 s to 1 min 30 s)",
    }
    machine.claim([waiting.pk], ["tests.adds"], "s/1")
    assert list(expected(as_root, Job.objects.get(pk=waiting.pk))) == ["Ends, as expected"]


def test_without_a_history_and_after_the_end_it_says_nothing(as_root: Client, live_server_row: Server) -> None:
    first, second = adds.enqueue(1, 1), adds.enqueue(1, 1)
    assert expected(as_root, second) == {}
    drain()
    assert expected(as_root, Job.objects.get(pk=first.pk)) == {}


def test_a_jobs_page_says_how_long_its_type_takes(as_root: Client) -> None:
    have_run(30, 7)
    assert "Usual duration" not in facts(as_root, Job.objects.latest("pk"))
    have_run(30, 1)
    assert facts(as_root, Job.objects.latest("pk"))["Usual duration"] == "30 s (30 s to 30 s)"


def test_a_job_that_waits_reckons_its_start_once(
    as_root: Client, live_server_row: Server, django_assert_max_num_queries: Any
) -> None:
    have_run(30)
    job = adds.enqueue_many([(1, 1)] * 3)[-1]
    with django_assert_max_num_queries(20):
        assert "Ends, as expected" in facts(as_root, job)


def test_a_batch_says_when_it_ends(as_root: Client, live_server_row: Server) -> None:
    have_run(30)
    batch = Batch.start("sums", [adds.bind(1, 1), adds.bind(2, 2)])
    page = f"/admin/django_jobs/batch/{batch.pk}/change/"
    assert f'data-expected="/admin/django_jobs/batch/{batch.pk}/expected/"' in as_root.get(page).content.decode()
    assert batch_expected(as_root, batch) == "in 1 min 0 s (1 min 0 s to 1 min 0 s)"
    drain()
    assert "data-expected" not in as_root.get(page).content.decode()
    assert batch_expected(as_root, batch) == ""


def test_a_batch_of_which_nobody_can_tell_says_nothing(as_root: Client, live_server_row: Server) -> None:
    assert batch_expected(as_root, Batch.start("unknown", [adds.bind(1, 1)])) == ""
    assert as_root.get("/admin/django_jobs/batch/999/expected/").status_code == 404


def test_the_queues_say_when_they_are_worked_off_or_that_it_is_unknown(
    as_root: Client, live_server_row: Server
) -> None:
    adds.enqueue(1, 1)
    worked_off = re.compile(r"Worked off in</dt><dd>(.*?)</dd>")
    page = "/admin/django_jobs/queue/"
    assert worked_off.findall(as_root.get(page).content.decode()) == ["–", "unknown", "–"]
    have_run(1)
    adds.enqueue(1, 1)
    (first, known, last) = worked_off.findall(as_root.get(page).content.decode())
    assert (first, last) == ("–", "–")
    assert re.fullmatch(r"[\d.]+ m?s", known)


# Recurring jobs


def test_recurring_jobs_that_will_collide_are_named(
    as_root: Client, live_server_row: Server, django_assert_max_num_queries: Any
) -> None:
    have_run(120)
    the_clock.anchor(datetime(2030, 1, 1, 12, 30, tzinfo=UTC))
    Server.objects.update(heartbeat_at=clock.now())
    for name in ("a <b>", "b"):
        RecurringJob.objects.add_or_update(name, adds, cron="0 3 * * *", args=[1, 1])
    page = "/admin/django_jobs/recurringjob/collisions/"
    assert page in as_root.get("/admin/django_jobs/recurringjob/").content.decode()
    with django_assert_max_num_queries(6):
        shown = as_root.get(page).content.decode()
    assert '<a href="/admin/django_jobs/recurringjob/a%20_3Cb_3E/change/">a &lt;b&gt;</a>' in shown
    assert 'datetime="2030-01-02T03:00:00+00:00"' in shown
    assert "2 min 0 s" in shown


def test_where_nothing_collides_the_page_says_so(as_user: AsUser) -> None:
    RecurringJob.objects.add_or_update("alone", succeeds, cron="* * * * *")
    shown = as_user("view_recurringjob").get("/admin/django_jobs/recurringjob/collisions/").content.decode()
    assert "None is known of" in shown
    assert "<table" not in shown.split('id="content-main"')[1]
