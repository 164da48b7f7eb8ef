"""Recurring jobs in the admin: a list, a form that shows the next runs, and the verbs."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets, quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import Media, ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from .. import monitoring, schedules
from ..exceptions import DuplicateJob, JobsError
from ..masking import Mask, trouble
from ..models import RecurringJob
from .collisionpage import CollisionPage
from .display import badge, moment
from .live import STYLE, LiveAdmin
from .recurringform import RecurringForm, preview
from .recurringpage import RecurringPage, StatusFilter, status
from .recurringverbs import VERBS, Verb, carry_out

SCRIPT = Media(js=["django_jobs/recurring.js"])
PAYLOAD = ("args", "kwargs")


class RecurringJobAdmin(LiveAdmin):
    """Recurring jobs are added, changed, triggered, enabled, disabled and deleted here."""

    form = RecurringForm
    list_display = ["id", "status", "when", "job_type", "next", "last"]
    list_filter = [StatusFilter]
    list_per_page = 50
    search_fields = ["id", "description", "job_type"]
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["trigger_selected", "enable_selected", "disable_selected"]

    @property
    def media(self) -> Media:
        return super().media + SCRIPT

    # What is asked for

    def get_queryset(self, request: HttpRequest) -> QuerySet[RecurringJob]:
        last = monitoring.jobs().filter(pk=OuterRef("last_job")).order_by().values("state")[:1]
        return schedules.rows().annotate(last_state=Subquery(last))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> RecurringJob | None:
        """None for an id with a character that PostgreSQL refuses to look for, too."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = super().get_list_display(request)
        without = {} if self.sees_payload(request) else {"status": "status_and_cause"}
        return [without.get(str(name), name) for name in shown]

    def get_fieldsets(self, request: HttpRequest, obj: RecurringJob | None = None) -> Any:
        call = ["job_type", "args", "kwargs", "queue", "priority"]
        if obj is not None and not self.sees_payload(request):
            call = [name for name in call if name not in PAYLOAD]
        elif obj is not None and not self.has_change_permission(request, obj):
            call = ["job_type", "arguments", "keyword_arguments", "queue", "priority"]
        return [
            (None, {"fields": ["id", "description", "enabled"]}),
            (_("Timetable"), {"fields": ["cron", "time_zone", "match_both_days", "starts_at", "ends_at", "jitter"]}),
            (_("Call"), {"fields": call}),
            (_("Policies"), {"fields": ["misfire", "overlap"]}),
        ]

    def get_form(self, request: HttpRequest, obj: RecurringJob | None = None, *args: Any, **kwargs: Any) -> Any:
        """Without the fields that are not shown: declared ones would be taken from what is posted all the same."""
        form = super().get_form(request, obj, *args, **kwargs)
        shown = flatten_fieldsets(self.get_fieldsets(request, obj))
        form.base_fields = {name: field for name, field in form.base_fields.items() if name in shown}
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: RecurringJob | None = None) -> list[str]:
        return [] if obj is None else ["id"]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """What a reader may not see must not be found by guessing it in the address either: some of it, nobody may."""
        if lookup.partition("__")[0] in {*PAYLOAD, "declared", "error"}:
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

    # Who may do what

    def has_trigger_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.trigger_recurringjob"))

    def sees_payload(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.view_payload_job"))

    def _may(self, request: HttpRequest, verb: Verb) -> bool:
        allowed = self.has_trigger_permission if verb.permission == "trigger" else self.has_change_permission
        return self.has_view_permission(request) and allowed(request)

    # Columns

    @admin.display(description=gettext_lazy("when"))
    def when(self, row: RecurringJob) -> SafeString:
        if (said := row.words) == row.cron:  # there are no words for it
            return format_html('<code>{}</code> <span class="dj-why">{}</span>', row.cron, row.time_zone)
        return format_html('{} <span class="dj-why"><code>{}</code> {}</span>', said, row.cron, row.time_zone)

    @admin.display(description=gettext_lazy("next run"), ordering="next_run", empty_value="")
    def next(self, row: RecurringJob) -> str:
        return moment(row.next_run)

    @admin.display(description=gettext_lazy("last run"), ordering="last_run", empty_value="")
    def last(self, row: RecurringJob) -> str:
        state: str | None = getattr(row, "last_state", None)
        return format_html("{} {}", moment(row.last_run), badge(state) if state else "") if row.last_run else ""

    @admin.display(description=gettext_lazy("status"))
    def status(self, row: RecurringJob) -> SafeString:
        return format_html('{} <span class="dj-why">{}</span>', status(row), trouble(row, payload=True))

    @admin.display(description=gettext_lazy("status"))
    def status_and_cause(self, row: RecurringJob) -> SafeString:
        return format_html('{} <span class="dj-why">{}</span>', status(row), trouble(row, payload=False))

    # Fields of who may only look

    @admin.display(description=gettext_lazy("Arguments"))
    def arguments(self, row: RecurringJob) -> str:
        return json.dumps(Mask(row).args, ensure_ascii=False)

    @admin.display(description=gettext_lazy("Keyword arguments"))
    def keyword_arguments(self, row: RecurringJob) -> str:
        return json.dumps(Mask(row).kwargs, ensure_ascii=False)

    # Pages

    def get_urls(self) -> list[URLPattern]:
        look = self.admin_site.admin_view(require_safe(self.preview_view))
        verb = self.admin_site.admin_view(require_POST(self.verb_view))
        collisions = self.admin_site.admin_view(require_safe(self.collisions_view))
        return [
            path("collisions/", collisions, name="django_jobs_recurringjob_collisions"),
            path("preview/", look, name="django_jobs_recurringjob_preview"),
            path("<path:object_id>/verb/<slug:verb>/", verb, name="django_jobs_recurringjob_verb"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Recurring jobs"), **(extra_context or {})})

    def collisions_view(self, request: HttpRequest) -> HttpResponse:
        """Which of them will be in each other's way."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        request.current_app = self.admin_site.name
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": STYLE}
        context = {**shared, "title": _("Collisions"), "page": CollisionPage()}
        return TemplateResponse(request, "admin/django_jobs/recurringjob/collisions.html", context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """The next runs of what the form says so far."""
        if not (self.has_view_or_change_permission(request) or self.has_add_permission(request)):
            raise PermissionDenied
        return JsonResponse(preview(request.GET))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row is not None:
            sees = bool(request.user.has_perm("django_jobs.view_job"))
            page = RecurringPage(row, jobs=sees, payload=self.sees_payload(request))
            buttons = [verb for verb in VERBS.values() if self._may(request, verb) and verb.applies(row)]
            context |= {"page": page, "buttons": buttons}
        context["preview_url"] = self._url("preview")
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: RecurringJob, form: ModelForm[Any], change: bool) -> None:
        """By the door that code goes through; what code declares keeps its source."""
        assert isinstance(form, RecurringForm)
        job_type = form.cleaned_data["job_type"]
        schedules.add_or_update(obj.pk, job_type, **form.terms(), source=RecurringJob.Source.ADMIN, by=request.user)

    # Verbs

    def verb_view(self, request: HttpRequest, object_id: str, verb: str) -> HttpResponse:
        """Do it to one, and come back to its page."""
        if verb not in VERBS:
            raise Http404
        if not self._may(request, VERBS[verb]):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            text = _("Recurring job %(id)s is not there (any more).") % {"id": object_id}
            self.message_user(request, text, messages.WARNING)
            return HttpResponseRedirect(self._url("changelist"))
        self._tell(request, VERBS[verb], [row])
        return HttpResponseRedirect(self._url("change", quote(row.pk)))

    @admin.action(permissions=["trigger"], description=gettext_lazy("Trigger selected recurring jobs"))
    def trigger_selected(self, request: HttpRequest, queryset: QuerySet[RecurringJob]) -> None:
        self._tell(request, VERBS["trigger"], list(queryset))

    @admin.action(permissions=["change"], description=gettext_lazy("Enable selected recurring jobs"))
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[RecurringJob]) -> None:
        self._tell(request, VERBS["enable"], list(queryset))

    @admin.action(permissions=["change"], description=gettext_lazy("Disable selected recurring jobs"))
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[RecurringJob]) -> None:
        self._tell(request, VERBS["disable"], list(queryset))

    def _tell(self, request: HttpRequest, verb: Verb, rows: list[RecurringJob]) -> None:
        try:
            done = carry_out(verb, rows, request.user)
        except DuplicateJob as error:  # keys are made of arguments
            holder = {"id": error.job.pk if error.job else "?"}
            self.message_user(request, _("Job #%(id)s has its unique key.") % holder, messages.ERROR)
            return
        except JobsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return
        text = verb.done % {"done": len(done), "asked": len(rows), "id": rows[0].pk if rows else ""}
        self.message_user(request, text, messages.SUCCESS if len(done) == len(rows) else messages.WARNING)

    def _url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:django_jobs_recurringjob_{page}", args=args, current_app=self.admin_site.name)
