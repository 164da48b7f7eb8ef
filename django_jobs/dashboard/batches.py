"""Batches in the admin: a list with progress, a page for each, and cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Media
from django.forms.widgets import Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from .. import clock, kinship, relations
from ..models import Batch
from ..policies.batches import Progress
from ..transactions import atomic
from .display import moment, span
from .drawing import Drawing
from .expected import batch_ends
from .filters import JobFilter
from .live import STYLE, LiveAdmin
from .paginator import CappedPaginator
from .reader import Reader
from .relatives import Family, bar, batch_badge, family

GRAPH = Media(css={"all": ["django_jobs/job.css"]}, js=[Script("django_jobs/graph.js", defer=True)])  # type: ignore[list-item]
EXPECTED = Media(js=[Script("django_jobs/expected.js", defer=True)])  # type: ignore[list-item]


class BatchList(ChangeList):
    """Newest first; the progress of a page's batches is one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list: Any = list(self.result_list)
        sums = relations.progress([batch.pk for batch in self.result_list])
        for batch in self.result_list:
            batch.standing = sums[batch.pk]


class BatchStateFilter(JobFilter):
    """Batches that go on, or that have ended so."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Batch.State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class BatchPage:
    """What the page of one batch shows."""

    def __init__(self, batch: Batch, reader: Reader) -> None:
        self.batch = batch
        self._reader = reader

    @cached_property
    def progress(self) -> Progress:
        return relations.progress([self.batch.pk])[self.batch.pk]

    @property
    def bar(self) -> SafeString:
        return bar(self.progress)

    @property
    def badge(self) -> SafeString:
        return batch_badge(self.batch)

    @property
    def facts(self) -> list[tuple[str, Any]]:
        batch = self.batch
        cancelled = moment(batch.cancelled_at)
        facts = [
            (_("Created"), moment(batch.created_at)),
            (_("Created by"), batch.created_by_name),
            (_("Finished"), moment(batch.finished_at)),
            (_("Cancelled"), cancelled),
            (_("Cancelled by"), batch.cancelled_by),
            (_("Kept until"), moment(batch.expires_at)),
        ]
        return [(name, value) for name, value in facts if value]

    @cached_property
    def graph(self) -> Drawing | None:
        """With its members for those who may see jobs."""
        kin = kinship.around_batch(self.batch, members=self._reader.may("view_job"))
        return None if kin.is_alone else Drawing(kin, self._reader)

    @cached_property
    def children(self) -> Family:
        return family(relations.children(self.batch))

    @cached_property
    def parts(self) -> list[tuple[Batch, SafeString, SafeString]]:
        """The batches within it, the first of them, with badge and bar."""
        parts = list(relations.batches().filter(parent=self.batch.pk).order_by("pk")[: relations.SHOWN])
        sums = relations.progress([part.pk for part in parts])
        return [(part, batch_badge(part), bar(sums[part.pk])) for part in parts]


class BatchAdmin(LiveAdmin):
    """Batches are made by code; here they are looked at and cancelled."""

    list_display = ["number", "description", "state_shown", "progress_bar", "created", "lasted", "creator"]
    list_display_links = ["number", "description"]
    list_filter = [BatchStateFilter]
    list_per_page = 50
    search_fields = ["description"]
    search_help_text = gettext_lazy("A part of its description")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    paginator = CappedPaginator
    actions = None

    # What is asked for

    def get_queryset(self, request: HttpRequest) -> QuerySet[Batch]:
        return relations.batches()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BatchList]:
        return BatchList

    @admin.display(description=gettext_lazy("Number"))
    def number(self, batch: Batch) -> str:
        return f"#{batch.pk}"

    @admin.display(description=gettext_lazy("State"))
    def state_shown(self, batch: Batch) -> SafeString:
        return batch_badge(batch)

    @admin.display(description=gettext_lazy("Progress"))
    def progress_bar(self, batch: Batch) -> SafeString:
        return bar(getattr(batch, "standing", Progress()))

    @admin.display(description=gettext_lazy("Created"))
    def created(self, batch: Batch) -> SafeString | str:
        return moment(batch.created_at)

    @admin.display(description=gettext_lazy("Lasted"), empty_value="")
    def lasted(self, batch: Batch) -> str:
        """From its creation to its end; of one that goes on, to now."""
        if batch.finished_at is not None:
            return span(batch.finished_at - batch.created_at)
        return _("%(time)s so far") % {"time": span(clock.now() - batch.created_at)}

    @admin.display(description=gettext_lazy("Created by"), empty_value="")
    def creator(self, batch: Batch) -> str:
        return batch.created_by_name

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Batch | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Batch | None = None) -> bool:
        return False

    def may_cancel(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.cancel_job"))

    # Pages

    def get_urls(self) -> list[URLPattern]:
        cancel = self.admin_site.admin_view(require_POST(self.cancel_view))
        expected = self.admin_site.admin_view(require_safe(self.expected_view))
        return [
            path("<int:batch_id>/cancel/", cancel, name="django_jobs_batch_cancel"),
            path("<int:batch_id>/expected/", expected, name="django_jobs_batch_expected"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Batches"), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The batch's page: it shows; nothing is posted to it."""
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, object_id)
        if batch is None:
            return self._gone(request, object_id)
        request.current_app = self.admin_site.name
        context = {
            **self.admin_site.each_context(request),
            "title": str(batch),
            "opts": self.opts,
            "original": batch,
            "batch": batch,
            "page": BatchPage(batch, Reader(request, self.admin_site)),
            "may_cancel": self.may_cancel(request) and batch.state == Batch.State.STARTED and not batch.cancelled_at,
            "has_view_permission": True,
            "media": STYLE + GRAPH + EXPECTED,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/django_jobs/batch/change_form.html", context)

    def expected_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """When it will have ended, in words. Its page asks apart: that takes more than all the rest of it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self.get_object(request, str(batch_id))
        if batch is None:
            raise Http404
        return JsonResponse({"text": batch_ends(batch)})

    def cancel_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Cancel it, together with an entry in the admin's log, and come back to its page."""
        if not (self.has_view_permission(request) and self.may_cancel(request)):
            raise PermissionDenied
        batch = self.get_object(request, str(batch_id))
        if batch is None:
            return self._gone(request, str(batch_id))
        by: Any = request.user
        with atomic():
            done = batch.cancel(by=by)
            if done:
                LogEntry.objects.log_actions(by.pk, [batch], CHANGE, _("Cancelled."))
        if done:
            text = _("Batch #%(id)s is cancelled: nothing of it starts any more.")
            self.message_user(request, text % {"id": batch.pk}, messages.SUCCESS)
        else:
            text = _("Nothing was done: batch #%(id)s has ended, or was cancelled before.")
            self.message_user(request, text % {"id": batch.pk}, messages.WARNING)
        return HttpResponseRedirect(self._url("change", batch.pk))

    def _url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:django_jobs_batch_{page}", args=args, current_app=self.admin_site.name)

    def _gone(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.message_user(request, _("Batch #%(id)s is not there (any more).") % {"id": object_id}, messages.WARNING)
        return HttpResponseRedirect(self._url("changelist"))
