"""What people do to jobs in the admin: to one, from its page, and to those that they ticked in the list."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import monitoring, states
from ..exceptions import FilterFailed
from ..models import Job
from . import asked
from .jobrights import JobRights
from .jobsearch import asked_for
from .verbs import DEEDS, carry_out, refused, told, told_of_many


class JobActions(JobRights):
    """The verbs, by POST alone."""

    actions = ["requeue_selected", "pause_selected", "resume_selected", "cancel_selected", "delete_jobs_selected"]

    def verb_view(self, request: HttpRequest, job_id: int, verb: str) -> HttpResponse:
        """Do it to one job, and come back to its page."""
        if verb not in DEEDS:
            raise Http404
        if not (self.has_view_permission(request) and self.may(request, DEEDS[verb].verb.name)):
            raise PermissionDenied
        job = self.get_object(request, str(job_id))
        if job is None:
            return self.gone(request, str(job_id))
        try:
            moved = carry_out(DEEDS[verb], [job.pk], request.user)
            level, text = told(DEEDS[verb], job, moved=bool(moved))
        except FilterFailed as failure:
            level, text = refused(failure)
        self.message_user(request, text, level)
        if (asked := request.GET.get("_changelist_filters")) is not None:  # from the list, back to the same list
            return HttpResponseRedirect(f"{self.url('changelist')}?{asked}")
        return HttpResponseRedirect(self.url("change", job.pk))

    @admin.action(permissions=["requeue_jobs"], description=gettext_lazy("Requeue selected jobs"))
    def requeue_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("requeue", request, queryset)

    @admin.action(permissions=["pause_jobs"], description=gettext_lazy("Pause selected jobs"))
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("pause", request, queryset)

    @admin.action(permissions=["resume_jobs"], description=gettext_lazy("Resume selected jobs"))
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        self._move_selected("resume", request, queryset)

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
        try:
            moved = carry_out(DEEDS[verb], ids, request.user, self._shown_states(request)) if ids else []
            level, text = told_of_many(DEEDS[verb], len(moved), len(ids) if across else len(ticked))
        except FilterFailed as failure:
            level, text = refused(failure)
        self.message_user(request, text, level)

    def _shown_states(self, request: HttpRequest) -> frozenset[str]:
        """The states that the tab and the search ask for: what has left them meanwhile was not meant."""
        return asked_for(request, payload=self.sees_payload(request)).within

    def buttons(self, request: HttpRequest, job: Job) -> list[dict[str, Any]]:
        offered = asked.offered(job)
        return [
            {"url": self.url("verb", job.pk, name), "verb": name, "label": deed.label, "hint": deed.hint}
            for name, deed in DEEDS.items()
            if name in offered and self.may(request, deed.verb.name)
        ]

    def row_buttons(self, request: HttpRequest, job: Job) -> list[dict[str, Any]]:
        """What the menu of a row offers: nothing is asked of the database for it."""
        back = {"_changelist_filters": request.GET.urlencode()}
        offered = states.offered(job.state, job.asked)
        return [
            {"url": self.url("verb", job.pk, name, query=back), "label": deed.label, "hint": deed.hint}
            for name, deed in DEEDS.items()
            if name in offered and self.may(request, deed.verb.name)
        ]

    # Ways

    def url(self, page: str, *args: Any, query: dict[str, str] | None = None) -> str:
        address = reverse(f"admin:django_jobs_job_{page}", args=args, current_app=self.admin_site.name)
        return f"{address}?{urlencode(query)}" if query else address

    def gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.message_user(request, _("Job #%(id)s is not stored (any more).") % {"id": object_id}, messages.WARNING)
        return HttpResponseRedirect(self.url("changelist"))
