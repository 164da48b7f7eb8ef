"""Filters of the job list. Their choices come from settings, code and live servers, never from the jobs' table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .. import clock, monitoring, queues
from ..models import Job
from ..registry import registry


class JobFilter(admin.SimpleListFilter):
    """A filter in the bar above the list. A value that is not among its choices, as from a link, joins them."""

    template = "admin/django_jobs/includes/filter.html"

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield from super().choices(changelist)
        value = self.value()
        if value is not None and value not in {str(known) for known, _label in self.lookup_choices}:
            yield {"selected": True, "query_string": changelist.get_query_string(), "display": value}


class QueueFilter(JobFilter):
    """Jobs of one of the site's queues."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in queues.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class TypeFilter(JobFilter):
    """Jobs of one type: those registered here, and those that live servers publish."""

    title = _("job type")
    parameter_name = "job_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(monitoring.published_types().union(registry.names()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(job_type=self.value()) if self.value() else queryset


class CreatorFilter(JobFilter):
    """Jobs of the user who looks, or of users at all. Other users' jobs are found by searching for the name."""

    title = _("creator")
    parameter_name = "creator"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("Me")), ("users", _("Any user"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        match self.value():
            case "me":
                return queryset.filter(created_by=request.user.pk)
            case "users":
                return queryset.filter(created_by__isnull=False)
        return queryset


class CreatedFilter(JobFilter):
    """Jobs created in the last hour, day or week."""

    title = _("created")
    parameter_name = "created"
    spans = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("hour", _("Past hour")), ("day", _("Past 24 hours")), ("week", _("Past 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        length = self.spans.get(self.value() or "")
        return queryset if length is None else queryset.filter(created_at__gte=clock.now() - length)
