"""Failures: failed jobs by their cause, and what a person may do with all that share one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from .. import monitoring, states
from ..masking import Mask, masks_of
from ..models import Job
from .display import moment
from .pages import PageAdmin
from .verbs import DEEDS, done_to_all
from .ways import way

SHOWN = 100
"""Most jobs on the page of one cause."""
VERBS = ("requeue", "delete")


@dataclass(frozen=True)
class Group:
    """A cause as the list shows it. What was said when it failed may quote arguments."""

    group: monitoring.FailureGroup
    url: str
    payload: bool
    mask: Mask | None
    """That of the newest one; None where it is gone meanwhile."""

    @property
    def error(self) -> str:
        return self.group.cause.error

    @property
    def reason(self) -> str:
        """What the newest one said."""
        if not self.payload or self.mask is None:
            return ""
        return self.mask.text(self.group.reason).removeprefix(f"{self.error}: ")

    @property
    def types(self) -> list[tuple[str, int]]:
        return self.group.job_types.most_common(5)

    @property
    def first(self) -> SafeString | str:
        return moment(self.group.first)

    @property
    def last(self) -> SafeString | str:
        return moment(self.group.last)

    @property
    def count(self) -> int:
        return len(self.group.ids)


class FailureAdmin(PageAdmin):
    """A page of causes, and one for each of them."""

    template = "failure/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        cause = self.admin_site.admin_view(require_safe(self.cause_view))
        verb = self.admin_site.admin_view(require_POST(self.verb_view))
        return [
            path("<slug:key>/", cause, name="django_jobs_failure_cause"),
            path("<slug:key>/verb/<slug:verb>/", verb, name="django_jobs_failure_verb"),
            *super().get_urls(),
        ]

    def may(self, request: HttpRequest, verb: str) -> bool:
        return bool(request.user.has_perm(DEEDS[verb].verb.permission))

    def context(self, request: HttpRequest) -> dict[str, Any]:
        groups = self._shown(request, monitoring.failure_groups())
        looked = sum(group.count for group in groups)
        return {
            "title": _("Failures"),
            "groups": groups,
            "window": looked if looked >= monitoring.FAILURES else None,
            "may": {verb: self.may(request, verb) for verb in VERBS},
        }

    def cause_view(self, request: HttpRequest, key: str) -> HttpResponse:
        """The jobs that share a cause, the newest first."""
        self.check_view(request)
        found = self._group(key)
        if found is None:
            return self._gone(request)
        [group] = self._shown(request, [found])
        ids = group.group.ids[:SHOWN]
        rows = monitoring.jobs().filter(pk__in=ids).only("pk", "job_type", "queue", "state", "state_at", "failures")
        context = {
            "title": group.error,
            "subtitle": group.group.cause.place,
            "group": group,
            "jobs": [(job, moment(job.state_at), self._job_url(request, job)) for job in rows.order_by("-pk")],
            "left_out": group.count - len(ids),
            "may": {verb: self.may(request, verb) for verb in VERBS},
            "list_url": self.url_of("changelist"),
        }
        return self.page(request, "failure/cause.html", context)

    def verb_view(self, request: HttpRequest, key: str, verb: str) -> HttpResponse:
        """Do it to all jobs of the cause that were looked at, and come back to the list."""
        if verb not in VERBS:
            raise Http404
        self.check_view(request)
        if not self.may(request, verb):
            raise PermissionDenied
        found = self._group(key)
        if found is None:
            return self._gone(request)
        level, text = done_to_all(DEEDS[verb], found.ids, request.user, {states.FAILED})
        self.message_user(request, text, level)
        return HttpResponseRedirect(self.url_of("changelist"))

    def _group(self, key: str) -> monitoring.FailureGroup | None:
        return next((group for group in monitoring.failure_groups() if group.cause.key == key), None)

    def _gone(self, request: HttpRequest) -> HttpResponse:
        self.message_user(request, _("No failed job has this cause (any more)."), messages.WARNING)
        return HttpResponseRedirect(self.url_of("changelist"))

    def _shown(self, request: HttpRequest, groups: list[monitoring.FailureGroup]) -> list[Group]:
        payload = self.sees_payload(request)
        masks = masks_of([group.newest for group in groups]) if payload else {}
        return [
            Group(group, self.url_of("cause", group.cause.key), payload, masks.get(group.newest)) for group in groups
        ]

    def _job_url(self, request: HttpRequest, job: Job) -> str:
        return f"{way(request, 'jobs')}{job.pk}/change/"
