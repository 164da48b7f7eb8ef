"""Servers in the admin: every `runjobs` with its children, alive or dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from .. import clock, monitoring
from ..conf import settings
from ..models import Server
from .display import moment, span
from .health import HealthPage
from .live import STYLE, LiveAdmin
from .orders import ORDERS, PENDING, Order, give, offered, told


@dataclass(frozen=True)
class ServerCard:
    """A process as the list shows it."""

    server: Server

    @property
    def is_alive(self) -> bool:
        return monitoring.is_alive(self.server)

    @property
    def leads(self) -> bool:
        """Whether it is the scheduler that works for all; the others stand by."""
        return bool(getattr(self.server, "leads", False))

    @property
    def heartbeat(self) -> str:
        age = since(self.server.heartbeat_at)
        return _("%(time)s ago") % {"time": span(age)} if age else _("just now")

    @property
    def started(self) -> str:
        return moment(self.server.started_at)

    @property
    def uptime(self) -> str:
        return span(since(self.server.started_at)) if self.is_alive else ""

    @property
    def pending(self) -> Any:
        """The order that the server has, in words."""
        return PENDING.get(self.server.wanted, "") if self.is_alive else ""

    @property
    def orders(self) -> list[Order]:
        return offered(self.server)

    @property
    def memory(self) -> str:
        """Resident bytes, once the process has told them."""
        return filesizeformat(self.server.memory) if self.server.memory else ""

    @property
    def cpu(self) -> str:
        return percent(self.server.cpu) if self.server.memory else ""

    @property
    def total_memory(self) -> str:
        """Of the living children together."""
        return filesizeformat(sum(child.server.memory for child in self.children if child.is_alive))

    @property
    def total_cpu(self) -> str:
        return percent(sum(child.server.cpu for child in self.children if child.is_alive))

    @cached_property
    def children(self) -> list[ServerCard]:
        """The scheduler first, then the workers by name."""
        rows = sorted(self.server.children.all(), key=lambda row: (row.kind, row.name))
        return [ServerCard(row) for row in rows]


def since(then: datetime) -> timedelta:
    """Whole seconds from then to now."""
    return timedelta(seconds=max(0, int((clock.now() - then).total_seconds())))


def percent(number: float) -> str:
    """Of one core; two busy ones are 200 %."""
    return _("%(number)s %%") % {"number": f"{number:.0f}"}


class ServerList(ChangeList):
    """Supervisors, the living first; their children come along in one query."""

    @property
    def cards(self) -> list[ServerCard]:
        return [ServerCard(server) for server in self.result_list]


class ServerAdmin(LiveAdmin):
    """Servers announce themselves; here they are looked at, quieted and stopped."""

    list_display = ["name"]
    list_per_page = 50
    search_fields = ["name", "host"]
    show_full_result_count = False
    actions = None

    # What is asked for

    def get_queryset(self, request: HttpRequest) -> QuerySet[Server]:
        return monitoring.servers()

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["dead", "name"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ServerList]:
        return ServerList

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Server | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Server | None = None) -> bool:
        return False

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Whether the user may quiet and stop servers."""
        return bool(request.user.has_perm("django_jobs.stop_server"))

    def sees_jobs(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.view_job"))

    # Pages

    def get_urls(self) -> list[URLPattern]:
        order = self.admin_site.admin_view(require_POST(self.order_view))
        # A finding may be an error of the database; a transaction around the page would make it the page's own.
        health = transaction.non_atomic_requests(using=settings.DATABASE)(require_safe(self.health_view))
        return [
            path("health/", self.admin_site.admin_view(health), name="django_jobs_server_health"),
            path("<int:server_id>/order/<slug:order>/", order, name="django_jobs_server_order"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"title": _("Servers"), "may_order": self.has_stop_permission(request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The server's page: it shows, and offers the orders; nothing is posted to it."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        server = self.get_object(request, object_id)
        if server is None:
            return self._gone(request, object_id)
        if not self.has_view_permission(request, server):
            raise PermissionDenied
        context = {
            "title": server.name,
            "original": server,
            "card": ServerCard(server),
            "may_order": self.has_stop_permission(request),
        }
        template = self.change_form_template or "admin/django_jobs/server/change_form.html"
        return self._page(request, template, {**context, **(extra_context or {})})

    def health_view(self, request: HttpRequest) -> HttpResponse:
        """What is wrong with the site's jobs, and what to do; for whoever may see servers or jobs."""
        if not (self.has_view_permission(request) or self.sees_jobs(request)):
            raise PermissionDenied
        page = HealthPage(
            jobs=self.sees_jobs(request), payload=bool(request.user.has_perm("django_jobs.view_payload_job"))
        )
        return self._page(request, "admin/django_jobs/server/health.html", {"title": _("Health"), "page": page})

    def _page(self, request: HttpRequest, template: Any, context: dict[str, Any]) -> HttpResponse:
        request.current_app = self.admin_site.name
        shared = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "has_view_permission": self.has_view_permission(request),
            "media": STYLE,
        }
        return TemplateResponse(request, template, {**shared, **context})

    # Orders

    def order_view(self, request: HttpRequest, server_id: int, order: str) -> HttpResponse:
        """Ask the server, and come back to where the button was."""
        if order not in ORDERS:
            raise Http404
        if not (self.has_view_permission(request) and self.has_stop_permission(request)):
            raise PermissionDenied
        server = self.get_object(request, str(server_id))
        if server is None:
            return self._gone(request, str(server_id))
        asked = give(ORDERS[order], server, request.user)
        level, text = told(ORDERS[order], server, asked=asked)
        self.message_user(request, text, level)
        back = self._url("changelist") if request.POST.get("back") == "list" else self._url("change", server.pk)
        return HttpResponseRedirect(back)

    # Ways

    def _url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:django_jobs_server_{page}", args=args, current_app=self.admin_site.name)

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.message_user(request, _("Server #%(id)s is not there (any more).") % {"id": object_id}, messages.WARNING)
        return HttpResponseRedirect(self._url("changelist"))
