"""The columns of the list of jobs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, gettext_lazy

from .. import monitoring, states
from ..masking import Mask
from ..models import Job
from .display import badge, marks, moment
from .jobpage import took
from .jobrights import JobRights

WITHOUT_PAYLOAD: dict[Any, str] = {"state_and_reason": "state_and_cause"}
"""Columns that take the place of others for those who may not see payloads."""

ROW_MENU = (
    '<details class="dj-menu" name="dj-menu"><summary aria-label="{0}" title="{0}">⋯</summary><div>{1}</div></details>'
)


class JobColumns(JobRights):
    """What the list shows of each job, to whom."""

    list_display = [
        "number",
        "job_type",
        "call",
        "queue",
        "priority",
        "state_and_reason",
        "created",
        "took",
        "row_actions",
    ]
    list_display_links = ["number", "job_type"]

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = list(super().get_list_display(request))
        if request.GET.getlist("state") == [states.SCHEDULED]:
            shown = ["due" if name == "took" else name for name in shown]
        if self.sees_payload(request):
            return shown
        return [WITHOUT_PAYLOAD.get(name, name) for name in shown if name != "call"]

    @admin.display(description="#", ordering="pk")
    def number(self, job: Job) -> str:
        return str(job.pk)

    @admin.display(description=gettext_lazy("call"))
    def call(self, job: Job) -> str:
        return Truncator(Mask(job).call.removeprefix(job.job_type)).chars(80)

    @admin.display(description=gettext_lazy("state, reason"))
    def state_and_reason(self, job: Job) -> SafeString:
        reason = Truncator(Mask(job).text(job.state_reason)).chars(100)
        return format_html('{}{} <span class="dj-why">{}</span>', badge(job.state), marks(job), reason)

    @admin.display(description=gettext_lazy("state, reason"))
    def state_and_cause(self, job: Job) -> SafeString:
        why = monitoring.cause(job.state, job.state_reason)
        return format_html('{}{} <span class="dj-why">{}</span>', badge(job.state), marks(job), why)

    @admin.display(description=gettext_lazy("created"))
    def created(self, job: Job) -> str:
        return moment(job.created_at)

    @admin.display(description=gettext_lazy("duration"), empty_value="")
    def took(self, job: Job) -> str:
        return took(job)

    @admin.display(description=gettext_lazy("due"), ordering="scheduled_at")
    def due(self, job: Job) -> SafeString | str:
        return moment(job.scheduled_at)

    @admin.display(description="")
    def row_actions(self, job: Job) -> SafeString | str:
        """A menu of what may be done to it now; each entry posts the form of the list to another address."""
        buttons: list[dict[str, Any]] = getattr(job, "offers", [])
        if not buttons:
            return ""
        entries = format_html_join(
            "",
            '<button type="submit" formaction="{}" title="{}">{}</button>',
            ((button["url"], button["hint"], button["label"]) for button in buttons),
        )
        label = gettext("Actions of job #%(id)s") % {"id": job.pk}
        return format_html(ROW_MENU, label, entries)
