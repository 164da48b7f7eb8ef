"""Broken service levels in the admin: a mark in the list, a filter, and a line on the page of the job."""

from __future__ import annotations

import pytest
from django.test import Client

from django_jobs import clock
from django_jobs.models import Breach
from tests.app.jobs import adds
from tests.app.threadjobs import promised

pytestmark = pytest.mark.django_db


def test_a_breach_is_seen_in_the_list_and_on_the_page(admin_client: Client) -> None:
    late, fine = promised.enqueue(), adds.enqueue(1, 2)
    facts = {"limit": 60, "seconds": 75, "noticed_at": clock.now()}
    Breach.objects.create(job=late, kind="max_wait", attempt=1, **facts)
    page = admin_client.get("/admin/django_jobs/job/").content.decode()
    assert page.count('title="Waited too long: 75 s, promised were 60 s">Waited too long</span>') == 1
    for value, seen in (("broken", True), ("max_wait", True), ("max_run", False)):
        found = admin_client.get(f"/admin/django_jobs/job/?sla={value}").content.decode()
        assert (f"/job/{late.pk}/change/" in found) is seen
        assert f"/job/{fine.pk}/change/" not in found
    assert "promised were 60 s" in admin_client.get(f"/admin/django_jobs/job/{late.pk}/change/").content.decode()
