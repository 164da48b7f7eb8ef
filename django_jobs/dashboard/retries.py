"""Retries: jobs that failed and wait for their next attempt."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from .. import client, clock, monitoring, states
from ..masking import Mask
from ..models import Job
from ..policies.retries import policy_of
from .display import moment, span
from .filters import QueueFilter, TypeFilter
from .pages import OfJobs
from .paginator import CappedPaginator
from .verbs import DEEDS, Deed, done_to_all

CLASS = re.compile(r"[\w.]+(?=: )")


class Hasten(Deed):
    """Due at once. Attempts are counted on."""

    def do(self, ids: Sequence[int], by: Any, expected: Collection[str] | None = None) -> list[int]:
        return client.reschedule(ids, timedelta(0), by=by, expected=expected)


TRY_NOW = Hasten(
    states.VERBS["reschedule"],
    gettext_lazy("Try now"),
    gettext_lazy("Do not wait for its time; attempts are counted on"),
    gettext_lazy("Job #%(id)s is tried now."),
    ngettext_lazy("%(moved)d of %(asked)d job is tried now.", "%(moved)d of %(asked)d jobs are tried now.", "asked"),
    gettext_lazy("Tried now."),
)


class RetryAdmin(OfJobs):
    """The next one first. They can be tried at once, or given up."""

    list_display = ["number", "job_type", "queue", "attempt_of", "due"]
    list_display_links = None
    list_filter = [QueueFilter, TypeFilter]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    paginator = CappedPaginator
    actions = ["retry_now", "delete_retries"]
    change_list_template = "admin/django_jobs/waitingretry/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return monitoring.retrying().defer("result", "tags")

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["scheduled_at", "pk"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """The filters alone: what a reader may not see must not be found by guessing it in the address either."""
        offered: Any = [] if request is None else self.get_list_filter(request)
        fields = [one[0] if isinstance(one, list | tuple) else getattr(one, "parameter_name", one) for one in offered]
        return any(f"{lookup}__".startswith(f"{field}__") for field in fields)

    def get_list_display(self, request: HttpRequest) -> Any:
        return [*self.list_display, "last_error" if self.sees_payload(request) else "last_error_class"]

    def get_urls(self) -> list[URLPattern]:
        return [url for url in super().get_urls() if (url.name or "").endswith("_changelist")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not all(one.isdecimal() and len(one) < 19 for one in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("A selected job has no number")
        return super().changelist_view(request, {"title": _("Retries"), **(extra_context or {})})

    # Columns

    @admin.display(description="#")
    def number(self, job: Job) -> SafeString:
        address = reverse("admin:django_jobs_job_change", args=[job.pk], current_app=self.admin_site.name)
        return format_html('<a href="{}">#{}</a>', address, job.pk)

    @admin.display(description=gettext_lazy("attempt"))
    def attempt_of(self, job: Job) -> str:
        return _("%(attempt)d of %(attempts)d") % {
            "attempt": job.attempt,
            "attempts": max(job.attempt, policy_of(job.job_type).attempts + 1),
        }

    @admin.display(description=gettext_lazy("due"))
    def due(self, job: Job) -> SafeString | str:
        if job.scheduled_at is None:
            return ""
        left = job.scheduled_at - clock.now()
        told = _("in %(time)s") % {"time": span(left)} if left.total_seconds() > 0 else _("now")
        return format_html('{} <span class="dj-why">{}</span>', moment(job.scheduled_at), told)

    @admin.display(description=gettext_lazy("last error"))
    def last_error(self, job: Job) -> str:
        return Truncator(_error(job)).chars(120)

    @admin.display(description=gettext_lazy("last error"))
    def last_error_class(self, job: Job) -> str:
        """What it says may quote arguments."""
        found = CLASS.match(_error(job))
        return found[0] if found else ""

    # Verbs

    @admin.action(permissions=["requeue"], description=gettext_lazy("Try selected jobs now"))
    def retry_now(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move(TRY_NOW, request, queryset)

    @admin.action(permissions=["delete_jobs"], description=gettext_lazy("Delete selected jobs"))
    def delete_retries(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move(DEEDS["delete"], request, queryset)

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(states.VERBS["requeue"].permission))

    def has_delete_jobs_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(states.VERBS["delete"].permission))

    def _move(self, deed: Deed, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        ids = list(queryset.values_list("pk", flat=True)[: monitoring.CAP])
        level, text = done_to_all(deed, ids, request.user, {states.SCHEDULED})
        self.message_user(request, text, level)


def _error(job: Job) -> str:
    """The reason, without the words about which retry it is."""
    before, _sign, error = job.state_reason.partition(": ")
    return Mask(job).text(error if before.startswith("Retry ") else job.state_reason)
