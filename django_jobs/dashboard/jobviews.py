"""Further pages of a job: as JSON, and to be enqueued again with changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.core.exceptions import BadRequest, PermissionDenied
from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ..models import Job
from ..transactions import atomic
from .againform import AgainForm
from .jobjson import as_json
from .jobpage import JobPage
from .reader import Reader

if TYPE_CHECKING:
    from .jobs import JobAdmin

ENQUEUE = "enqueue_job"
PAGE = Media(
    css={"all": ["django_jobs/job.css"]},
    js=[Script(f"django_jobs/{name}.js", defer=True) for name in ("job", "graph")],  # type: ignore[misc]
)


class JobViews:
    """The views, for the admin of jobs to which they belong."""

    def __init__(self, admin: JobAdmin) -> None:
        self._admin = admin

    def urls(self) -> list[URLPattern]:
        guarded = self._admin.admin_site.admin_view
        again = require_http_methods(["GET", "HEAD", "POST"])(self.again)
        return [
            path("<int:job_id>/json/", guarded(require_safe(self.json)), name="django_jobs_job_json"),
            path("<int:job_id>/again/", guarded(again), name="django_jobs_job_again"),
        ]

    def reader(self, request: HttpRequest) -> Reader:
        return Reader(request, self._admin.admin_site)

    def context(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        """What the template of the job's page gets besides the admin's own."""
        reader = self.reader(request)
        page = JobPage(job, reader, before=_entry(request))
        return {
            "page": page,
            "said": page.said,
            "may_enqueue": reader.may(ENQUEUE),
            "live_url": reader.url("job_live", job.pk),
            "list_url": reader.url("job_changelist"),
        }

    def _job(self, request: HttpRequest, job_id: int) -> Job | None:
        """The job, for those who may see it."""
        if not self._admin.has_view_permission(request):
            raise PermissionDenied
        job = self._admin.get_object(request, str(job_id))
        if job is not None and not self._admin.has_view_permission(request, job):
            raise PermissionDenied
        return job

    def json(self, request: HttpRequest, job_id: int) -> HttpResponseBase:
        """All that its page shows, for machines and for copying."""
        job = self._job(request, job_id)
        if job is None:
            return self._admin.gone(request, str(job_id))
        page = JobPage(job, self.reader(request))
        return JsonResponse(as_json(page), json_dumps_params={"indent": 2, "ensure_ascii": False})

    def again(self, request: HttpRequest, job_id: int) -> HttpResponseBase:
        """The form, filled with its call; posted, a new job."""
        reader = self.reader(request)
        if not reader.may(ENQUEUE):
            raise PermissionDenied
        job = self._job(request, job_id)
        if job is None:
            return self._admin.gone(request, str(job_id))
        form = AgainForm(job, request.POST if request.method == "POST" else None, payload=reader.payload)
        if form.is_bound and form.is_valid() and (made := _made(form, request.user)) is not None:
            return self._made(request, reader, job, made)
        return self._shown(request, job, form)

    def _made(self, request: HttpRequest, reader: Reader, job: Job, made: Job) -> HttpResponse:
        old, new = (reader.url("job_change", one.pk) for one in (job, made))
        text = format_html(
            _('Job <a href="{}">#{}</a> was enqueued, made of job <a href="{}">#{}</a>.'), new, made.pk, old, job.pk
        )
        self._admin.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(new)

    def _shown(self, request: HttpRequest, job: Job, form: AgainForm) -> HttpResponse:
        request.current_app = self._admin.admin_site.name
        context = {
            **self._admin.admin_site.each_context(request),
            "title": _("Enqueue job #%(id)s again, with changes") % {"id": job.pk},
            "opts": self._admin.opts,
            "job": job,
            "form": form,
            "media": self._admin.media + PAGE,
        }
        return TemplateResponse(request, "admin/django_jobs/job/again.html", context)


def _entry(request: HttpRequest) -> int | None:
    """The entry of the history up to which the page shows it."""
    text = request.GET.get("before", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise BadRequest("before is no number of an entry")
    return int(text)


def _made(form: AgainForm, by: Any) -> Job | None:
    """The new job, together with its entry in the admin's log."""
    with atomic():
        made = form.save(by)
        if made is not None:
            told = _("Enqueued, made of job #%(id)s.") % {"id": form.job.pk}
            LogEntry.objects.log_actions(by.pk, [made], ADDITION, told)
    return made
