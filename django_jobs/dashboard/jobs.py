"""Jobs in the admin: a list with a tab for each state, a page for each job, and the verbs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ..authorizing import authorized
from ..models import Job
from .filters import BreachFilter, CreatedFilter, CreatorFilter, QueueFilter, TypeFilter
from .jobcolumns import JobColumns
from .joblist import JobList
from .jobsearch import columns_that_sort
from .jobviews import PAGE, JobViews
from .live import STYLE, LiveAdmin
from .many import ALL, ManyActions
from .saidpage import said_since
from .watching import watch

PAYLOAD = frozenset({"args", "kwargs", "result"})


class JobAdmin(LiveAdmin, JobColumns, ManyActions):
    """Jobs can be looked at, requeued, paused, cancelled and deleted here; they are made and changed by code alone."""

    list_filter = [QueueFilter, TypeFilter, CreatorFilter, BreachFilter, CreatedFilter]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    search_fields = ["pk"]  # makes the box appear; the list itself searches

    # What is asked for

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        return queryset, False

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return columns_that_sort(request)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What a reader may not see must not be found by guessing it in the address either."""
        if lookup.partition("__")[0] in PAYLOAD and not (request and self.sees_payload(request)):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    # Pages

    def get_urls(self) -> list[URLPattern]:
        verb = self.admin_site.admin_view(require_POST(self.verb_view))
        live = self.admin_site.admin_view(require_safe(self.live_view))
        events = self.admin_site.admin_view(require_safe(self.events_view))
        return [
            path("<int:job_id>/verb/<slug:verb>/", verb, name="django_jobs_job_verb"),
            path("<int:job_id>/live/", live, name="django_jobs_job_live"),
            path("events/", events, name="django_jobs_job_events"),
            *JobViews(self).urls(),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not all(one.isdecimal() and len(one) < 19 for one in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("A selected job has no number")
        if request.method == "POST" and request.POST.get("scope") == ALL:
            return self.act_on_all(request)
        return super().changelist_view(request, {"title": _("Jobs"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The job's page: it shows, and offers the verbs; nothing is posted to it."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            return self.gone(request, object_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        template = self.change_form_template or "admin/django_jobs/job/change_form.html"
        return TemplateResponse(request, template, {**self._page_context(request, job), **(extra_context or {})})

    def _page_context(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": _("Job #%(id)s") % {"id": job.pk},
            "subtitle": job.job_type,
            "opts": self.opts,
            "original": job,
            "job": job,
            **JobViews(self).context(request, job),
            "buttons": self.buttons(request, job),
            "has_view_permission": True,
            "media": STYLE + PAGE,
        }

    def live_view(self, request: HttpRequest, job_id: int) -> HttpResponse:
        """What the job said after the line of the number `after`, as JSON: the page asks while the job lives."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = get_object_or_404(self.get_queryset(request).defer(*PAYLOAD), pk=job_id)
        if not self.has_view_permission(request, job):
            raise PermissionDenied
        return said_since(request, job, payload=self.sees_payload(request))

    def events_view(self, request: HttpRequest) -> HttpResponseBase:
        """Hints that jobs have changed, for pages that follow them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return watch(request, self._may_follow)

    def _may_follow(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request) and self.has_view_permission(request) and authorized(request)
