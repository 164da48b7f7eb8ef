"""What is expected, over HTTP."""

from __future__ import annotations

import pytest

from django_jobs import Batch
from django_jobs.models import Job, Server
from django_jobs.testing import drain
from tests.api.conftest import Caller
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db
NOTHING = {"low": 0.0, "likely": 0.0, "high": 0.0}


def test_with_a_history_there_are_numbers(root: Caller, live_server_row: Server) -> None:
    adds.enqueue_many([(1, 1)] * 10)
    drain()
    batch = Batch.start("b", [adds.bind(1, 1)])
    waiting = Job.objects.get(batch=batch)
    lasts = root.get("estimates/job-types/tests.adds/")["lasts"]
    assert 0 < lasts["low"] <= lasts["likely"] <= lasts["high"] < 1
    job = root.get(f"estimates/jobs/{waiting.pk}/")
    assert (job["job_type"], job["lasts"]) == ("tests.adds", lasts)
    assert job["starts_in"]["likely"] <= job["ends_in"]["likely"] < 1
    assert root.get(f"estimates/batches/{batch.pk}/")["ends_in"]["likely"] < 1
    queues = {row["queue"]: row["empty_in"] for row in root.get("estimates/queues/")}
    assert queues["low-priority"] == NOTHING
    assert queues["default"]["high"] < 1
    assert root.get("estimates/collisions/?hours=48") == []


def test_without_a_history_there_is_null(root: Caller) -> None:
    waiting = adds.enqueue(1, 1)
    told = root.get(f"estimates/jobs/{waiting.pk}/")
    assert told == {"job_type": "tests.adds", "lasts": None, "starts_in": None, "ends_in": None}


def test_what_is_not_there_is_not_found_and_what_cannot_be_is_refused(root: Caller) -> None:
    assert root("get", "estimates/jobs/999/")[0] == root("get", "estimates/batches/999/")[0] == 404
    assert root("get", "estimates/job-types/tests%00adds/")[0] == root("get", "queues/%00/")[0] == 404
    code, told = root("get", "estimates/collisions/?hours=1000000")
    assert (code, told["errors"][0]["field"]) == (400, "hours")
