"""Jobs in the admin: a list with a tab for each state, a page for each job, and the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from .. import monitoring, states
from ..models import Job
from .display import badge, cause, moment
from .filters import CreatedFilter, CreatorFilter, QueueFilter, TypeFilter
from .joblist import CappedPaginator, JobList
from .jobpage import JobPage, took
from .verbs import DEEDS, carry_out, told, told_of_many

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Job]
else:
    ModelAdmin = admin.ModelAdmin

PAYLOAD = frozenset({"args", "kwargs", "result"})
STYLE = Media(css={"all": ["django_jobs/dashboard.css"]})


WITHOUT_PAYLOAD: dict[Any, str] = {"state_and_reason": "state_and_cause"}
"""Columns that take the place of others for those who may not see payloads."""


class JobAdmin(ModelAdmin):
    """Jobs can be looked at, requeued, cancelled and deleted here; they are made and changed by code alone."""

    list_display = [
        "number",
        "job_type",
        "call",
        "queue",
        "priority",
        "state_and_reason",
        "created",
        "took",
    ]
    list_display_links = ["number", "job_type"]
    list_filter = [QueueFilter, TypeFilter, CreatorFilter, CreatedFilter]
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    paginator = CappedPaginator
    search_fields = ["pk"]  # makes the box appear; get_search_results searches
    search_help_text = gettext_lazy("A job's number, or a part of its type, its reason or its creator's name")
    actions = ["requeue_selected", "cancel_selected", "delete_jobs_selected"]

    @property
    def media(self) -> Media:
        return super().media + STYLE

    # What is asked for

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return monitoring.jobs().order_by("-pk")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        if not search_term.strip():
            return queryset, False
        return monitoring.search(queryset, search_term, reasons=self.sees_payload(request)), False

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        if self.sees_payload(request):
            return shown
        return [WITHOUT_PAYLOAD.get(name, name) for name in shown if name != "call"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What a reader may not see must not be found by guessing it in the address either."""
        if lookup.partition("__")[0] in PAYLOAD and not (request and self.sees_payload(request)):
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Django would delete the row itself; to delete a job is a verb here."""
        return False

    def has_requeue_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "requeue")

    def has_cancel_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "cancel")

    def has_delete_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "delete")

    def sees_payload(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.view_payload_job"))

    def _has_permission(self, request: HttpRequest, verb: str) -> bool:
        return bool(request.user.has_perm(states.VERBS[verb].permission))

    def _may(self, request: HttpRequest, verb: str) -> bool:
        allowed: Callable[[HttpRequest], bool] = getattr(self, f"has_{verb}_jobs_permission")
        return allowed(request)

    # Columns

    @admin.display(description="#")
    def number(self, job: Job) -> str:
        return str(job.pk)

    @admin.display(description=gettext_lazy("call"))
    def call(self, job: Job) -> str:
        return Truncator(job.call.removeprefix(job.job_type)).chars(80)

    @admin.display(description=gettext_lazy("state, reason"))
    def state_and_reason(self, job: Job) -> SafeString:
        reason = Truncator(job.state_reason).chars(100)
        return format_html('{} <span class="dj-why">{}</span>', badge(job.state), reason)

    @admin.display(description=gettext_lazy("state, reason"))
    def state_and_cause(self, job: Job) -> SafeString:
        return format_html('{} <span class="dj-why">{}</span>', badge(job.state), cause(job.state, job.state_reason))

    @admin.display(description=gettext_lazy("created"))
    def created(self, job: Job) -> str:
        return moment(job.created_at)

    @admin.display(description=gettext_lazy("duration"), empty_value="")
    def took(self, job: Job) -> str:
        return took(job)

    # Pages

    def get_urls(self) -> list[URLPattern]:
        verb = self.admin_site.admin_view(require_POST(self.verb_view))
        return [path("<int:job_id>/verb/<slug:verb>/", verb, name="django_jobs_job_verb"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not all(number.isdecimal() for number in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            raise BadRequest("A selected job has no number")
        return super().changelist_view(request, {"title": _("Jobs"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The job's page: it shows, and offers the verbs; nothing is posted to it."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            return self._gone(request, object_id)
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
            "page": JobPage(job, payload=self.sees_payload(request)),
            "buttons": self._buttons(request, job),
            "list_url": self._url("changelist"),
            "has_view_permission": True,
            "media": STYLE,
        }

    def _buttons(self, request: HttpRequest, job: Job) -> list[dict[str, Any]]:
        return [
            {"url": self._url("verb", job.pk, name), "verb": name, "label": deed.label, "hint": deed.hint}
            for name, deed in DEEDS.items()
            if job.state in deed.verb.sources and self._may(request, name)
        ]

    # Verbs

    def verb_view(self, request: HttpRequest, job_id: int, verb: str) -> HttpResponse:
        """Do it to one job, and come back to its page."""
        if verb not in DEEDS:
            raise Http404
        if not (self.has_view_permission(request) and self._may(request, verb)):
            raise PermissionDenied
        job = self.get_object(request, str(job_id))
        if job is None:
            return self._gone(request, str(job_id))
        moved = carry_out(DEEDS[verb], [job.pk], request.user)
        level, text = told(DEEDS[verb], job, moved=bool(moved))
        self.message_user(request, text, level)
        return HttpResponseRedirect(self._url("change", job.pk))

    @admin.action(permissions=["requeue_jobs"], description=gettext_lazy("Requeue selected jobs"))
    def requeue_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("requeue", request, queryset)

    @admin.action(permissions=["cancel_jobs"], description=gettext_lazy("Cancel selected jobs"))
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("cancel", request, queryset)

    @admin.action(permissions=["delete_jobs"], description=gettext_lazy("Delete selected jobs"))
    def delete_jobs_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("delete", request, queryset)

    def _move_selected(self, verb: str, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Do it to what was ticked, or to all that the list shows: never more than it counts."""
        ids = list(queryset.values_list("pk", flat=True)[: monitoring.CAP])
        ticked = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
        across = request.POST.get("select_across") == "1"
        moved = carry_out(DEEDS[verb], ids, request.user)
        level, text = told_of_many(DEEDS[verb], len(moved), len(ids) if across else len(ticked))
        self.message_user(request, text, level)

    # Ways

    def _url(self, page: str, *args: Any, query: dict[str, str] | None = None) -> str:
        address = reverse(f"admin:django_jobs_job_{page}", args=args, current_app=self.admin_site.name)
        return f"{address}?{urlencode(query)}" if query else address

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.message_user(request, _("Job #%(id)s is not stored (any more).") % {"id": object_id}, messages.WARNING)
        return HttpResponseRedirect(self._url("changelist"))
