"""Queues in the admin: what waits in each, who serves it, its pause and limits, and what a person may do with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from .. import clock, monitoring, queues, states, steering
from ..conf import settings
from ..exceptions import InvalidJob
from ..models import Queue
from ..policies.ceilings import queue_limits
from ..search import written
from . import queuewords
from .display import moment, span
from .live import STYLE, LiveAdmin
from .numbers import drained, pace
from .ways import way

PERMISSIONS = {"pause": "pause_queue", "resume": "pause_queue", "purge": "purge_queue", "limit": "change_queue"}


class Terms(forms.Form):
    """What comes with an order."""

    minutes = forms.FloatField(required=False, min_value=0.01, max_value=60 * 24 * 366)
    max_concurrency = forms.IntegerField(required=False, min_value=1)
    rate_limit = forms.CharField(required=False, max_length=60)


@dataclass(frozen=True)
class QueueCard:
    """A queue as the list shows it. `row` is None for one that was never paused or limited."""

    name: str
    facts: dict[str, Any]
    row: Queue | None
    limits: str
    per_second: float
    jobs_url: str
    """Of those that wait in it; empty for who may not see jobs."""

    @property
    def pace(self) -> str:
        return pace(self.per_second)

    @property
    def drained(self) -> str:
        return drained(self.facts["waiting"], self.per_second)

    @property
    def is_served(self) -> bool:
        return bool(self.facts["servers"])

    @property
    def oldest(self) -> str:
        """How long the oldest waiting job has waited."""
        since: datetime | None = self.facts["oldest"]
        return "" if since is None else span(timedelta(seconds=max(0, int((clock.now() - since).total_seconds()))))

    @property
    def until(self) -> Any:
        return moment(self.row.paused_until) if self.row is not None and self.facts["paused"] else ""


def cards(request: HttpRequest) -> list[QueueCard]:
    """Every queue of the site, in the order of the settings."""
    names = queues.names()
    rows = Queue.objects.using(settings.DATABASE).in_bulk()
    limits = queue_limits(names)
    waits, paces = monitoring.queue_waits(), monitoring.pace()
    return [
        QueueCard(name, waits[name], rows.get(name), str(limits[name]), paces.get(name, 0.0), _waiting(request, name))
        for name in names
    ]


def _waiting(request: HttpRequest, name: str) -> str:
    both = f"{states.ENQUEUED},{states.AWAITING}"  # what waits for a limit is Awaiting
    return way(request, "jobs?" + urlencode({"q": f"state:{both} queue:{written(name)}"}))


class QueueAdmin(LiveAdmin):
    """Queues come from ``RQ_QUEUES``; here they are looked at, paused, purged and limited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Queue | None = None) -> bool:
        return False

    def may(self, request: HttpRequest, order: str) -> bool:
        """Whether the user may give that order."""
        return bool(request.user.has_perm(f"django_jobs.{PERMISSIONS[order]}"))

    def get_urls(self) -> list[URLPattern]:
        order = self.admin_site.admin_view(require_POST(self.order_view))
        return [
            path("<path:name>/order/<slug:order>/", order, name="django_jobs_queue_order"),
            *(url for url in super().get_urls() if url.name == "django_jobs_queue_changelist"),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            "title": _("Queues"),
            "cards": cards(request),
            "may": {order: self.may(request, order) for order in PERMISSIONS},
        }
        return self._page(request, "admin/django_jobs/queue/change_list.html", {**context, **(extra_context or {})})

    def order_view(self, request: HttpRequest, name: str, order: str) -> HttpResponse:
        """Give the order, and come back to the list; a purge is confirmed first."""
        if order not in PERMISSIONS or name not in queues.names():
            raise Http404
        if not (self.has_view_permission(request) and self.may(request, order)):
            raise PermissionDenied
        if order == "purge" and not request.POST.get("confirmed"):
            card = next(card for card in cards(request) if card.name == name)
            context = {"title": _("Purge queue %(name)s?") % {"name": name}, "name": name, "card": card}
            return self._page(request, "admin/django_jobs/queue/purge.html", context)
        level, text = self._obeyed(request, name, order)
        self.message_user(request, text, level)
        return HttpResponseRedirect(self._list_url())

    def _obeyed(self, request: HttpRequest, name: str, order: str) -> tuple[int, str]:
        """Level and text of the message."""
        terms = Terms(request.POST)
        if not terms.is_valid():
            wrong = "; ".join(f"{field}: {' '.join(map(str, errors))}" for field, errors in terms.errors.items())
            return messages.ERROR, _("Nothing was done: %(wrong)s") % {"wrong": wrong}
        try:
            done = ORDERS[order](name, request.user, terms.cleaned_data)
        except InvalidJob as error:
            return messages.ERROR, _("Nothing was done: %(wrong)s") % {"wrong": error}
        LogEntry.objects.log_actions(str(request.user.pk), [Queue(name=name)], CHANGE, done)
        return messages.SUCCESS, done

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": STYLE}
        return TemplateResponse(request, template, {**shared, **context})

    def _list_url(self) -> str:
        return reverse("admin:django_jobs_queue_changelist", current_app=self.admin_site.name)


def _pause(name: str, by: Any, terms: dict[str, Any]) -> str:
    minutes = terms["minutes"]
    until = None if minutes is None else timedelta(minutes=minutes)
    steering.pause_queue(name, until=until, by=by)
    return queuewords.paused(name, until)


def _resume(name: str, by: Any, terms: dict[str, Any]) -> str:
    steering.resume_queue(name, by=by)
    return queuewords.resumed(name)


def _purge(name: str, by: Any, terms: dict[str, Any]) -> str:
    return queuewords.purged(name, steering.purge_queue(name, by=by))


def _limit(name: str, by: Any, terms: dict[str, Any]) -> str:
    steering.limit_queue(name, max_concurrency=terms["max_concurrency"], rate_limit=terms["rate_limit"] or None, by=by)
    told = str(queue_limits([name])[name]) or gettext_lazy("no limits")
    return _("Queue %(name)s: %(limits)s.") % {"name": name, "limits": told}


ORDERS = {"pause": _pause, "resume": _resume, "purge": _purge, "limit": _limit}
