"""Filters of the job list. Their choices come from settings, code and live servers, never from the jobs' table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .. import monitoring, queues
from ..models import Breach, Job
from ..registry import registry


class JobFilter(admin.SimpleListFilter):
    """A filter in the bar above the list. A value that is not among its choices, as from a link, joins them."""

    template = "admin/django_jobs/includes/filter.html"

    column = ""
    """What it narrows by itself; the list of jobs makes one search of all that its address asks (see `jobsearch`)."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(**{self.column: self.value()}) if self.column and self.value() else queryset

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        value = self.value()
        if value is not None and value not in {str(known) for known, _label in self.lookup_choices}:
            yield {"selected": True, "query_string": changelist.get_query_string(), "display": value}


class QueueFilter(JobFilter):
    """Jobs of one of the site's queues."""

    title = _("queue")
    parameter_name = column = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in queues.names()]


class TypeFilter(JobFilter):
    """Jobs of one type: those registered here, and those that live servers publish."""

    title = _("job type")
    parameter_name = column = "job_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(monitoring.published_types().union(registry.names()))]


class CreatorFilter(JobFilter):
    """Jobs of the user who looks, or of users at all. Other users' jobs are found by searching for the name."""

    title = _("creator")
    parameter_name = "creator"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("Me")), ("users", _("Any user"))]


class BreachFilter(JobFilter):
    """Jobs that broke a service level of their type."""

    title = _("service level")
    parameter_name = "sla"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("broken", _("Broken")), *Breach.Kind.choices]


class CreatedFilter(JobFilter):
    """Jobs created in the last hour, day or week."""

    title = _("created")
    parameter_name = "created"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("Past hour")), ("day", _("Past 24 hours")), ("week", _("Past 7 days"))]
