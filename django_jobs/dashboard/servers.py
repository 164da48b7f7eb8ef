"""Servers in the admin: every `runjobs` with its children, alive or dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock, monitoring
from ..models import Server
from .display import moment, span
from .jobs import STYLE

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Server]
else:
    ModelAdmin = admin.ModelAdmin


@dataclass(frozen=True)
class ServerCard:
    """A process as the list shows it."""

    server: Server

    @property
    def is_alive(self) -> bool:
        return monitoring.is_alive(self.server)

    @property
    def heartbeat(self) -> str:
        age = clock.now() - self.server.heartbeat_at
        return _("%(time)s ago") % {"time": span(age)} if age > timedelta(seconds=1) else _("just now")

    @property
    def started(self) -> str:
        return moment(self.server.started_at)

    @property
    def load(self) -> str:
        """Memory and processor time, once the process has told them."""
        if not self.server.memory:
            return ""
        return _("%(memory)s, %(cpu)s%% CPU") % {
            "memory": filesizeformat(self.server.memory),
            "cpu": f"{self.server.cpu:.0f}",
        }

    @property
    def children(self) -> list[ServerCard]:
        """The scheduler first, then the workers by name."""
        rows = sorted(self.server.children.all(), key=lambda row: (row.kind, row.name))
        return [ServerCard(row) for row in rows]


class ServerList(ChangeList):
    """Supervisors, the living first; their children come along in one query."""

    @property
    def cards(self) -> list[ServerCard]:
        return [ServerCard(server) for server in self.result_list]


class ServerAdmin(ModelAdmin):
    """Servers announce themselves; here they are only looked at."""

    list_display = ["name"]
    list_per_page = 50
    search_fields = ["name", "host"]
    show_full_result_count = False
    actions = None
    fields = [
        *("name", "kind", "application", "version", "host", "pid", "queue_names", "type_names"),
        *("slots", "busy", "load", "wanted", "started_at", "heartbeat_at"),
    ]
    readonly_fields = ["queue_names", "type_names", "load"]

    @property
    def media(self) -> Media:
        return super().media + STYLE

    def get_queryset(self, request: HttpRequest) -> QuerySet[Server]:
        return monitoring.servers()

    def get_ordering(self, request: HttpRequest) -> Any:
        return ["dead", "name"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ServerList]:
        return ServerList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Servers"), **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Server | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Server | None = None) -> bool:
        return False

    @admin.display(description=gettext_lazy("queues"))
    def queue_names(self, server: Server) -> str:
        return ", ".join(server.queues)

    @admin.display(description=gettext_lazy("job types"))
    def type_names(self, server: Server) -> str:
        return ", ".join(server.types)

    @admin.display(description=gettext_lazy("load"))
    def load(self, server: Server) -> str:
        return ServerCard(server).load
