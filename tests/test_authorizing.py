"""The setting AUTHORIZE: a callable of the site that is asked besides permissions, at every door."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.test import Client

from django_jobs.checks import check_settings
from django_jobs.models import Job
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db

DOORS = [
    "/admin/django_jobs/overview/",
    "/admin/django_jobs/job/",
    "/admin/django_jobs/recurringjob/",
    "/admin/django_jobs/queue/",
    "/admin/django_jobs/server/",
    "/admin/django_jobs/server/health/",
    "/admin/django_jobs/job/events/",
    "/api/jobs/",
    "/api/events/",
    "/api/schema/",
    "/api/docs/",
    "/metrics/",
]


def lets_in(request: HttpRequest) -> bool:
    return request.user.is_authenticated and request.user.get_username() == "ann"


def signed_in(name: str) -> Client:
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser(name))
    return browser


@pytest.fixture(params=[lets_in, f"{__name__}.lets_in"], ids=["callable", "path"])
def asked(request: pytest.FixtureRequest, settings: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "AUTHORIZE": request.param}


@pytest.mark.parametrize("door", DOORS)
def test_every_door_asks(asked: None, door: str) -> None:
    assert signed_in("ann").get(door).status_code == 200
    assert signed_in("bob").get(door).status_code == 403


def test_verbs_ask_too(asked: None) -> None:
    job = succeeds.enqueue()
    bob = signed_in("bob")
    assert bob.post(f"/api/jobs/{job.pk}/cancel/").status_code == 403
    assert bob.post(f"/admin/django_jobs/job/{job.pk}/verb/cancel/").status_code == 403
    assert Job.objects.get(pk=job.pk).state == "enqueued"


def test_the_index_offers_nothing_to_who_is_not_let_in(asked: None) -> None:
    assert b"/admin/django_jobs/" not in signed_in("bob").get("/admin/").content
    assert b"/admin/django_jobs/" in signed_in("ann").get("/admin/").content


def test_who_is_not_logged_in_is_asked_to_log_in(asked: None) -> None:
    answer = Client().get("/admin/django_jobs/job/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/admin/login/")


def test_permissions_are_asked_all_the_same(asked: None) -> None:
    browser = Client()
    browser.force_login(get_user_model().objects.create_user("ann", is_staff=True))
    assert browser.get("/admin/django_jobs/job/").status_code == 403
    assert browser.get("/api/jobs/").status_code == 403


@pytest.mark.parametrize("wrong", ["nowhere.at_all", 7])
def test_what_cannot_be_asked_is_told_at_start(settings: Any, wrong: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "AUTHORIZE": wrong}
    (error,) = check_settings(None)
    assert (error.id, "AUTHORIZE" in error.msg) == ("django_jobs.E002", True)
