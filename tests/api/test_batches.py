"""Batches by the REST API."""

from __future__ import annotations

import pytest

from django_jobs.models import Batch, RecurringJob
from tests.api.conftest import Caller
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)


def test_batches_with_their_progress_and_members(root: Caller) -> None:
    one, two = (Batch.start(name, [succeeds.bind(), succeeds.bind()]) for name in ("one", "two"))
    succeeds.enqueue()
    told = root.get("batches/?page_size=1")
    assert [batch["id"] for batch in told["results"]] == [two.pk]
    assert told["next"]
    told = root.get(f"batches/{one.pk}/")
    assert (told["description"], told["state"]) == ("one", "started")
    assert told["progress"] == {"total": 2, "done": 0, "failed": 0, "deleted": 0, "open": 2, "percent": 0}
    members = root.get(f"batches/{one.pk}/jobs/")["results"]
    assert [job["batch"] for job in members] == [one.pk, one.pk]


def test_a_batch_is_cancelled_once(root: Caller) -> None:
    batch = Batch.start("one", [succeeds.bind()])
    code, told = root("post", f"batches/{batch.pk}/cancel/")
    assert (code, told["cancelled_by"]) == (200, "root")
    assert root("post", f"batches/{batch.pk}/cancel/")[0] == 409
    assert root("post", "batches/999999/cancel/")[0] == 404


def test_the_next_runs_of_a_recurring_job(root: Caller) -> None:
    RecurringJob.objects.add_or_update("leap", "tests.succeeds", cron="0 2 * * *", time_zone="Asia/Kolkata")
    runs = root.get("recurring-jobs/leap/next-runs/")["next_runs"]
    assert len(runs) == 5
    assert all(run.endswith("T20:30:00Z") for run in runs)
    RecurringJob.objects.filter(pk="leap").update(time_zone="No/Where")
    assert root.get("recurring-jobs/leap/next-runs/")["next_runs"] == []
