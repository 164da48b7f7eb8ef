"""What list and page show of a recurring job: its timetable in words, how it is, its next and last runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import monitoring
from ..cron import CronError
from ..masking import Mask, trouble
from ..models import Job, RecurringJob
from .display import badge, moment
from .jobpage import Fact, took

RUNS = 20
COMING = 5
STATUS: dict[str, tuple[Any, str]] = {
    "enabled": (gettext_lazy("Enabled"), "dj-alive"),
    "disabled": (gettext_lazy("Disabled"), "dj-pending"),
    "broken": (gettext_lazy("Broken"), "dj-dead"),
    "orphaned": (gettext_lazy("Orphaned"), "dj-pending"),
    "ended": (gettext_lazy("No further run"), ""),
}
"""Label and class of each status."""
HINTS: dict[str, Any] = {
    "orphaned": gettext_lazy("The code no longer declares it, so it stopped. Enable it to keep it, or delete it."),
    "broken": gettext_lazy("Its timetable or its call is broken. Correct it, or enable it to try again."),
    "ended": gettext_lazy("Its timetable names no further time. It can still be triggered."),
}


def status(row: RecurringJob) -> SafeString:
    label, style = STATUS[row.status]
    return format_html('<span class="dj-badge {}">{}</span>', style, label)


class StatusFilter(admin.SimpleListFilter):
    """Recurring jobs by how they are."""

    template = "admin/django_jobs/includes/filter.html"
    title = gettext_lazy("status")
    parameter_name = "status"
    conditions = {
        "enabled": Q(enabled=True, orphaned_at=None, next_run__isnull=False, error=""),
        "disabled": Q(enabled=False, orphaned_at=None, error=""),
        "broken": ~Q(error=""),
        "orphaned": Q(orphaned_at__isnull=False, error=""),
        "ended": Q(enabled=True, orphaned_at=None, next_run=None, error=""),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterator[tuple[str, Any]]:
        yield from ((name, label) for name, (label, _style) in STATUS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[RecurringJob]) -> QuerySet[RecurringJob]:
        condition = self.conditions.get(self.value() or "")
        return queryset if condition is None else queryset.filter(condition)


@dataclass(frozen=True)
class Run:
    """A job that it made."""

    job: Job
    payload: bool

    @property
    def badge(self) -> SafeString:
        return badge(self.job.state)

    @property
    def reason(self) -> str:
        state, reason = self.job.state, self.job.state_reason
        return Mask(self.job).text(reason) if self.payload else monitoring.cause(state, reason)

    @property
    def tick(self) -> SafeString | str:
        return moment(self.job.tick) if self.job.tick else _("by hand")

    @property
    def started(self) -> SafeString | str:
        return moment(self.job.started_at)

    @property
    def took(self) -> str:
        return took(self.job)


def edited(row: RecurringJob) -> list[str]:
    """What an operator has changed, in words."""
    labels = {field.name: str(field.verbose_name) for field in row._meta.concrete_fields}
    return [labels[name] for name in row.edited()]


class RecurringPage:
    """The page's content beside the form; `jobs` and `payload` say whether the reader may see those."""

    def __init__(self, row: RecurringJob, *, jobs: bool, payload: bool) -> None:
        self.row = row
        self.sees_jobs = jobs
        self.payload = payload

    @property
    def status(self) -> SafeString:
        return status(self.row)

    @property
    def hint(self) -> Any:
        return HINTS.get(self.row.status, "")

    @property
    def error(self) -> str:
        return trouble(self.row, payload=self.payload)

    @property
    def words(self) -> str:
        return self.row.words

    @property
    def coming(self) -> SafeString:
        """The next runs by its timetable; who may not change it has no form that shows them."""
        try:
            runs = self.row.next_runs(COMING) if self.row.next_run else []
        except CronError:
            runs = []
        return format_html_join(", ", "{}", ((moment(at),) for at in runs))

    @property
    def facts(self) -> list[Fact]:
        row = self.row
        changed = row.changed_by and _("%(name)s, ") % {"name": row.changed_by}
        facts = [
            Fact(_("Next run"), moment(row.next_run)),
            Fact(_("Next runs"), self.coming),
            Fact(_("Last run"), moment(row.last_run)),
            Fact(_("Source"), row.get_source_display()),
            Fact(_("Application"), row.application),
            Fact(_("Changed"), format_html("{}{}", changed, moment(row.changed_at))),
            Fact(_("Differs from the code"), ", ".join(edited(row))),
        ]
        return [fact for fact in facts if fact.value]

    @cached_property
    def runs(self) -> list[Run]:
        """The last ones, the newest first."""
        if not self.sees_jobs:
            return []
        rows = monitoring.jobs().filter(recurring_job=self.row.pk).order_by("-pk").defer("result")
        return [Run(job, self.payload) for job in rows[:RUNS]]
