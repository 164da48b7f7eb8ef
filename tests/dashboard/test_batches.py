"""Batches in the admin, and relatives on a job's page."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_jobs import Batch, execution
from django_jobs.models import Job
from django_jobs.states import machine
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import AsUser

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/django_jobs/batch/"


def page(batch: Batch) -> str:
    return f"{LIST}{batch.pk}/change/"


def test_the_list_shows_progress_in_few_queries(as_user: AsUser) -> None:
    browser = as_user("view_batch")
    for number in range(5):
        Batch.start(f"number <{number}>", [succeeds.bind(1), succeeds.bind(2)])
    job = Job.objects.earliest("pk")
    machine.acknowledge([execution.run(run, "w/1") for run in machine.claim([job.pk], [job.job_type], "w/1")], "w/1")
    with CaptureQueriesContext(connection) as queries:
        shown = browser.get(LIST).content.decode()
    assert len(queries) < 20
    assert "number &lt;4&gt;" in shown
    assert '<progress value="1" max="2"' in shown
    assert "1 done, 0 failed, 0 deleted of 2" in shown


def test_the_page_of_a_batch_shows_its_parts_and_what_waits_for_it(as_user: AsUser) -> None:
    batch = Batch.start("outer", [succeeds.bind(1), Batch.bind("<inner>", [succeeds.bind(2)])])
    child = batch.then(adds, 1, 1, on="any")
    shown = as_user("view_batch", "view_job").get(page(batch)).content.decode()
    assert "&lt;inner&gt;" in shown
    assert f"/admin/django_jobs/job/{child.pk}/change/" in shown
    assert "on any end" in shown
    assert f"/admin/django_jobs/job/?batch={batch.pk}" in shown
    hidden = as_user("view_batch").get(page(batch)).content.decode()
    assert "tests.adds" not in hidden
    assert "/admin/django_jobs/job/" not in hidden


def test_the_jobs_of_a_batch_are_listed(as_user: AsUser) -> None:
    batch = Batch.start("bulk", [succeeds.bind(1)])
    adds.enqueue(1, 1)
    shown = as_user("view_job").get(f"/admin/django_jobs/job/?batch={batch.pk}").content.decode()
    assert "tests.succeeds" in shown
    assert f"#{Job.objects.latest('pk').pk}" not in shown


def test_its_page_leads_to_its_jobs_also_where_numbers_are_grouped(as_user: AsUser) -> None:
    batch = Batch.start("bulk", [succeeds.bind(1)])
    batch.pk = 12345
    batch.save(force_insert=True)
    with override_settings(LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True):
        shown = as_user("view_batch", "view_job").get(page(batch)).content.decode()
    assert 'href="/admin/django_jobs/job/?batch=12345"' in shown


def test_a_batch_is_cancelled_by_whoever_may_cancel_jobs(as_user: AsUser) -> None:
    batch = Batch.start("bulk", [succeeds.bind(1)])
    cancel = f"{LIST}{batch.pk}/cancel/"
    viewer = as_user("view_batch")
    for browser in (viewer, as_user("cancel_job")):
        assert browser.post(cancel).status_code == 403
    assert cancel not in viewer.get(page(batch)).content.decode()
    operator = as_user("view_batch", "cancel_job")
    assert cancel in operator.get(page(batch)).content.decode()
    assert operator.get(cancel).status_code == 405
    assert operator.post(cancel).headers["Location"] == page(batch)
    batch.refresh_from_db()
    assert batch.cancelled_at is not None
    assert LogEntry.objects.get().object_id == str(batch.pk)
    assert cancel not in operator.get(page(batch)).content.decode()
    assert "Nothing was done" in operator.post(cancel, follow=True).content.decode()


def test_strangers_and_those_without_permission_see_nothing(as_user: AsUser) -> None:
    batch = Batch.start("bulk", [succeeds.bind(1)])
    browser = as_user()
    for way in (LIST, page(batch)):
        assert browser.get(way).status_code == 403
    assert as_user("view_batch").get(f"{LIST}999/change/").status_code == 302


def test_a_jobs_page_shows_its_relatives(as_user: AsUser) -> None:
    batch = Batch.start("<bulk>", [succeeds.bind(1).then(succeeds, 2)])
    first, second = Job.objects.order_by("pk")
    waits = adds.using(after=[first, batch], on="any").enqueue(1, 1)
    browser = as_user("view_job", "view_batch")
    shown = browser.get(f"/admin/django_jobs/job/{first.pk}/change/").content.decode()
    assert "What waits for it" in shown
    assert f"/job/{second.pk}/change/" in shown
    assert page(batch) in shown
    assert "&lt;bulk&gt;" in shown
    shown = browser.get(f"/admin/django_jobs/job/{waits.pk}/change/").content.decode()
    assert f"/job/{first.pk}/change/" in shown
    assert "Batch #" in shown
