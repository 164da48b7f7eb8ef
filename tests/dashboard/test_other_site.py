"""The dashboard on an admin site of one's own, beside the default one: all its links stay in that site."""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import include, path

from django_jobs.dashboard.jobs import JobAdmin
from django_jobs.models import Job
from tests.dashboard.conftest import failed
from tests.dashboard.everywhere import furnish, pages

ops = admin.AdminSite(name="ops")
ops.register(User, UserAdmin)
for model, model_admin in admin.site._registry.items():
    if model._meta.app_label == "django_jobs":
        ops.register(model, type(model_admin))
small = admin.AdminSite(name="small")
small.register(Job, JobAdmin)

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ops/", ops.urls),
    path("small/", small.urls),
    path("api/", include("django_jobs.api.urls")),
]
ADDRESS = re.compile(r'(?:href|action|formaction|data-url)="(/[^"]*)"')


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_every_page_leads_to_pages_of_its_own_site(as_root: Client) -> None:
    found = pages(as_root, furnish(), ops)
    assert len(found) > 12
    for name, address in found.items():
        assert address.startswith("/ops/"), name
        elsewhere = [to for to in ADDRESS.findall(as_root.get(address).content.decode()) if to.startswith("/admin/")]
        assert elsewhere == [], name


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_a_site_may_have_jobs_alone(as_root: Client) -> None:
    job = failed()
    for address in ("/small/django_jobs/job/", f"/small/django_jobs/job/{job.pk}/change/"):
        answer = as_root.get(address)
        assert answer.status_code == 200
        assert 'data-url="/small/django_jobs/job/events/"' in answer.content.decode()
