"""Each page says who it is once, whatever the Django: newer admins have blocks in other places."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from django.urls import reverse

from django_jobs.models import Batch, RecurringJob
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db

LISTS = ["overview", "job", "waitingretry", "failure", "recurringjob", "batch", "queue", "server"]


@pytest.mark.parametrize(
    "name",
    [
        *LISTS,
        "server_health",
        "recurringjob_collisions",
        "job_change",
        "batch_change",
        "recurringjob_change",
        "server_change",
    ],
)
def test_no_page_has_an_id_or_the_bar_twice(name: str, admin_client: Any, live_server_row: Any) -> None:
    rows = {
        "job_change": lambda: succeeds.enqueue("value").pk,
        "batch_change": lambda: Batch.start("one", [succeeds.bind("value")]).pk,
        "recurringjob_change": lambda: RecurringJob.objects.add_or_update("nightly", succeeds, cron="0 2 * * *").pk,
        "server_change": lambda: live_server_row.pk,
    }
    named = f"{name}_changelist" if name in LISTS else name
    address = reverse(f"admin:django_jobs_{named}", args=[rows[name]()] if name in rows else [])
    page = admin_client.get(address).content.decode()
    twice = [found for found, number in Counter(re.findall(r'\sid="([^"]+)"', page)).items() if number > 1]
    assert twice == []
    assert page.count('class="dj-ways"') == 1
