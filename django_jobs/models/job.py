"""A job: one call, its state and what became of it. The row is the truth; queues hold bells that point at it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..call import as_python
from .fields import PartialIndex, forget_user

if TYPE_CHECKING:
    from .state import JobState

STATES = [
    ("scheduled", _("Scheduled")),
    ("awaiting", _("Awaiting")),
    ("enqueued", _("Enqueued")),
    ("processing", _("Processing")),
    ("paused", _("Paused")),
    ("succeeded", _("Succeeded")),
    ("failed", _("Failed")),
    ("deleted", _("Deleted")),
]


class Job(models.Model):
    """One call of a job type. `state` is written by `states.machine` alone; `run` counts the claims and fences them."""

    id = models.BigAutoField(primary_key=True)
    job_type = models.CharField(_("job type"), max_length=200)
    args = models.JSONField(_("arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("keyword arguments"), default=dict, blank=True)
    queue = models.CharField(_("queue"), max_length=100, default="default")
    priority = models.SmallIntegerField(_("priority"), default=0)
    state = models.CharField(_("state"), max_length=12, choices=STATES)
    state_at = models.DateTimeField(_("in this state since"))
    state_reason = models.CharField(_("reason"), max_length=200, default="", blank=True)
    created_state = models.CharField(_("created as"), max_length=12, choices=STATES)
    run = models.PositiveIntegerField(_("run"), default=0)
    failures = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    deaths = models.PositiveSmallIntegerField(_("workers it killed"), default=0)
    worker = models.CharField(_("worker"), max_length=150, default="", blank=True)
    result = models.JSONField(_("result"), null=True, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    created_at = models.DateTimeField(_("created"))
    scheduled_at = models.DateTimeField(_("scheduled for"), null=True, blank=True)
    start_before = models.DateTimeField(_("start before"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        on_delete=forget_user,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    created_by_name = models.CharField(_("creator's name"), max_length=150, default="", blank=True)

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [
            ("enqueue_job", _("Can enqueue jobs")),
            ("cancel_job", _("Can cancel jobs")),
            ("pause_job", _("Can pause and resume jobs")),
            ("requeue_job", _("Can requeue jobs")),
            ("delete_job", _("Can delete jobs")),
            ("view_payload_job", _("Can see arguments and results of jobs")),
        ]
        # The final states, nearly all rows, are in the last three only: the hot path does not pay for history.
        indexes = [
            PartialIndex(fields=["queue", "id"], name="dj_job_enqueued", where=Q(state="enqueued")),
            PartialIndex(fields=["scheduled_at", "id"], name="dj_job_due", where=Q(state="scheduled")),
            PartialIndex(fields=["worker", "id"], name="dj_job_held", where=Q(state="processing")),
            PartialIndex(
                fields=["state", "id"],
                name="dj_job_aside",
                where=Q(state__in=["awaiting", "paused", "failed", "deleted"]),
            ),
            PartialIndex(fields=["expires_at"], name="dj_job_expires", where=Q(expires_at__isnull=False)),
            PartialIndex(fields=["created_by", "id"], name="dj_job_creator", where=Q(created_by__isnull=False)),
            models.Index(fields=["job_type", "id"], name="dj_job_type"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.job_type}"

    @property
    def call(self) -> str:
        """The call as it would be written in Python."""
        return as_python(self.job_type, self.args, self.kwargs)

    @property
    def attempt(self) -> int:
        """Number of the current or next attempt, from 1; a run that was put back does not count."""
        return self.failures + 1

    @property
    def duration(self) -> timedelta | None:
        """How long the last run took, None until it ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    def cancel(self, *, by: Any = None) -> bool:
        """Move to Deleted, "Cancelled by …"; False when the job had already ended."""
        return bool(_verb("cancel")([self.pk], by=by))

    async def acancel(self, *, by: Any = None) -> bool:
        return bool(await _verb("acancel")([self.pk], by=by))

    def requeue(self, *, by: Any = None) -> bool:
        """Run again, from any state but Enqueued and Processing; failed attempts are counted anew."""
        return bool(_verb("requeue")([self.pk], by=by))

    async def arequeue(self, *, by: Any = None) -> bool:
        return bool(await _verb("arequeue")([self.pk], by=by))

    def reschedule(self, when: datetime | timedelta, *, by: Any = None) -> bool:
        """Run at `when` instead: an aware datetime, or a timedelta from now. False when it runs or has succeeded."""
        return bool(_verb("reschedule")([self.pk], when, by=by))

    async def areschedule(self, when: datetime | timedelta, *, by: Any = None) -> bool:
        return bool(await _verb("areschedule")([self.pk], when, by=by))

    def wait(self, timeout: float) -> Job:
        """This job once it has ended (Succeeded, Failed or Deleted); raises StillRunning, a TimeoutError."""
        ended: Job = _verb("wait")(self.pk, timeout)
        return ended

    async def await_end(self, timeout: float) -> Job:
        ended: Job = await _verb("await_end")(self.pk, timeout)
        return ended

    def history(self) -> list[JobState]:
        """Every state in order. The first entry is read from the job's row, so that an enqueue is one INSERT."""
        entries: list[JobState] = _verb("history")(self)
        return entries


class Verbs:
    """The slot through which a job reaches the client, which stands on a higher floor. `apps.ready()` fills it."""

    client: Callable[[str], Callable[..., Any]] | None = None


def _verb(name: str) -> Callable[..., Any]:
    if Verbs.client is None:
        raise RuntimeError("django_jobs is not in INSTALLED_APPS, or the apps are not loaded yet")
    return Verbs.client(name)
