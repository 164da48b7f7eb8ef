"""Ways between the pages of the dashboard, as far as their reader may go them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

JOBS = ("view_job",)


@dataclass(frozen=True)
class Page:
    """A page that others lead to; any of the permissions opens it."""

    url_name: str
    label: Any
    permissions: Sequence[str]


PAGES: dict[str, Page] = {
    "overview": Page("overview_changelist", _("Overview"), JOBS),
    "jobs": Page("job_changelist", _("Jobs"), JOBS),
    "retries": Page("waitingretry_changelist", _("Retries"), JOBS),
    "failures": Page("failure_changelist", _("Failures"), JOBS),
    "recurring": Page("recurringjob_changelist", _("Recurring jobs"), ("view_recurringjob", "change_recurringjob")),
    "batches": Page("batch_changelist", _("Batches"), ("view_batch",)),
    "queues": Page("queue_changelist", _("Queues"), ("view_queue",)),
    "servers": Page("server_changelist", _("Servers"), ("view_server",)),
    "health": Page("server_health", _("Health"), ("view_server", "view_job")),
}


def way(request: HttpRequest, place: str) -> str:
    """The address of a place such as "jobs?state=failed"; empty where it is not there, or not for this reader."""
    name, _sign, query = place.partition("?")
    page = PAGES.get(name)
    if page is None or not any(request.user.has_perm(f"django_jobs.{codename}") for codename in page.permissions):
        return ""
    try:
        address = reverse(f"admin:django_jobs_{page.url_name}", current_app=getattr(request, "current_app", None))
    except NoReverseMatch:
        return ""
    return f"{address}?{query}" if query else address


def ways(request: HttpRequest, here: str) -> list[dict[str, Any]]:
    """What the bar above each page leads to."""
    found = ((name, page.label, way(request, name)) for name, page in PAGES.items())
    return [{"label": label, "url": url, "here": name == here} for name, label, url in found if url]
