"""An action on all jobs that match: first how many those are, then a job that does it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from .. import monitoring, search
from ..conf import settings
from ..models import Job
from ..monitoring import Count
from ..search import Search
from ..search.refusals import BadSearch, SearchTimeout
from . import manyjob
from .jobactions import JobActions
from .jobsearch import asked_for
from .verbs import DEEDS

ALL = "all"
"""Value of the field `scope`: not what was ticked, but all that match."""
COUNTING = 1.0
"""Seconds in which jobs are counted before somebody decides."""


class ManyActions(JobActions):
    """The verbs on all that match."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return monitoring.jobs().order_by("-pk")

    def may_act_on_all(self) -> bool:
        """Not where a site shows each person other jobs: the job that does it cannot know whose they are."""
        return type(self).get_queryset is ManyActions.get_queryset

    def act_on_all(self, request: HttpRequest) -> HttpResponse:
        """Ask whether that is meant, with a number; then let a job do it, and show that job."""
        verb = next((verb for verb in manyjob.VERBS if verb in request.POST.get("action", "").split("_")), "")
        if verb and not (self.has_view_permission(request) and self.may(request, verb) and self.may_act_on_all()):
            raise PermissionDenied
        try:
            asked = asked_for(request, payload=self.sees_payload(request))
            expected = self._expected(asked, verb) if verb else Count(0)
        except (BadSearch, IncorrectLookupParameters, SearchTimeout) as error:
            return self._back(request, _("Nothing was done: %(wrong)s") % {"wrong": error}, messages.ERROR)
        if not verb:
            return self._back(request, _("No action was chosen."), messages.WARNING)
        if not expected.number and not expected.capped:
            return self._back(request, _("No job that matches is in a state that allows it."), messages.WARNING)
        if not request.POST.get("confirmed"):
            return self._confirm(request, verb, asked, expected)
        job = manyjob.start(verb, asked, request.user, expected)
        self.message_user(request, _("This job does it; watch it here. It can be paused or cancelled."))
        return HttpResponseRedirect(self.url("change", job.pk))

    def _expected(self, asked: Search, verb: str) -> Count:
        with search.at_most(settings.SEARCH_TIMEOUT):
            way = search.walk(monitoring.jobs().order_by(), manyjob.that_it_moves(asked, verb))
            return search.bounded_count(way, seconds=COUNTING)

    def _back(self, request: HttpRequest, text: str, level: int) -> HttpResponse:
        self.message_user(request, text, level)
        return HttpResponseRedirect(request.get_full_path())

    def _confirm(self, request: HttpRequest, verb: str, asked: Search, expected: Count) -> HttpResponse:
        request.current_app = self.admin_site.name
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": _("%(action)s all jobs that match?") % {"action": DEEDS[verb].label},
            "opts": self.opts,
            "media": self.media,
            "deed": DEEDS[verb],
            "action": request.POST["action"],
            "asked": str(asked),
            "expected": expected,
            "number": f"{expected.number:,}",
            "address": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/django_jobs/job/many.html", context)
