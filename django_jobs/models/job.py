"""A job: one call, its state and what became of it. The row is the truth; queues hold bells that point at it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.base import ModelState
from django.utils.translation import gettext_lazy as _

from ..call import as_python
from .batch import Batch
from .fields import PartialIndex, forget_user
from .verbs import verb_of

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

# What somebody asked of a run that goes on: to pause (while Processing), to end (while Deleted).
ASKED = [("pause", _("pause")), ("cancel", _("cancel")), ("kill", _("cancel by force"))]


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
    anew_after = models.PositiveIntegerField(default=0)
    """Checkpoints of runs up to this one no longer count: somebody let the job start from its beginning."""
    failures = models.PositiveSmallIntegerField(_("failed attempts"), default=0)
    deaths = models.PositiveSmallIntegerField(_("workers it killed"), default=0)
    worker = models.CharField(_("worker"), max_length=150, default="", blank=True)
    asked = models.CharField(_("asked"), max_length=8, default="", blank=True, choices=ASKED)
    paused_from = models.CharField(_("paused from"), max_length=12, default="", blank=True, choices=STATES)
    result = models.JSONField(_("result"), null=True, blank=True)
    tags = models.JSONField(_("tags"), default=list, blank=True)
    # With a default of the database's own: during a deploy, older code enqueues without knowing the column.
    headers = models.JSONField(
        _("headers"), default=dict, db_default=Value({}, output_field=models.JSONField()), blank=True
    )
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
    batch = models.ForeignKey(
        Batch,
        verbose_name=_("batch"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="members",
    )
    # The id stays when the schedule is deleted. `tick` is the time of the timetable; a run made by hand has none.
    recurring_job = models.ForeignKey(
        "RecurringJob",
        verbose_name=_("recurring job"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="jobs",
    )
    tick = models.DateTimeField(_("tick"), null=True, blank=True)

    unique_key = models.CharField(_("unique key"), max_length=200, default="", blank=True)
    active_key = models.CharField(max_length=64, null=True, editable=False)
    """Digest of type and unique key, as long as no other job may have them."""
    unique_until = models.DateTimeField(_("unique until"), null=True, blank=True)
    """The key is held until then at least, even though the job has ended."""
    concurrency_key = models.CharField(_("concurrency key"), max_length=200, default="", blank=True)
    limited = models.BooleanField(default=False, editable=False)
    """Whether it holds slots of limits, or waits for one."""

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
            PartialIndex(fields=["batch", "id"], name="dj_job_batch", where=Q(batch__isnull=False)),
            PartialIndex(fields=["active_key"], name="dj_job_key", where=Q(active_key__isnull=False), unique=True),
            models.Index(fields=["job_type", "id"], name="dj_job_type"),
            PartialIndex(fields=["recurring_job", "id"], name="dj_job_recurring", where=Q(recurring_job__isnull=False)),
            PartialIndex(
                fields=["recurring_job", "state"],
                name="dj_job_recurring_live",
                where=Q(
                    recurring_job__isnull=False,
                    state__in=["scheduled", "awaiting", "enqueued", "processing", "paused"],
                ),
            ),
            # One tick, one job, whatever happens to whoever makes it.
            PartialIndex(
                fields=["recurring_job", "tick"], name="dj_job_tick", where=Q(tick__isnull=False), unique=True
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.job_type}"

    terms: tuple[float | None, float | None] = (None, None)
    """Of a new job that waits for others: the seconds from its release until it is due, and from then to its expiry."""

    def twin(self, args: list[Any], kwargs: dict[str, Any], **others: Any) -> Job:
        """Another unsaved job like this one, but for its arguments and `others`, which are names of columns.

        The model's own constructor would be most of what a large set costs.
        """
        made = Job.__new__(Job)
        made.__dict__.update(self.__dict__, args=args, kwargs=kwargs, _state=ModelState(), **others)
        return made

    @property
    def call(self) -> str:
        """The call as it would be written in Python."""
        return as_python(self.job_type, self.args, self.kwargs)

    @property
    def wait_reason(self) -> str:
        """Why an Awaiting job waits: for a slot of a limit, or for its parents. Empty in other states."""
        return self.state_reason if self.state == "awaiting" else ""

    @property
    def attempt(self) -> int:
        """Number of the current or next attempt, from 1; a run that was put back does not count."""
        return self.failures + 1

    @property
    def attempts(self) -> int:
        """How many attempts have begun, counted as `attempt` is; the name that Django's own tasks have for it."""
        return self.failures + (self.state in {"processing", "succeeded"})

    @property
    def duration(self) -> timedelta | None:
        """How long the last run took, None until it ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return self.finished_at - self.started_at

    def cancel(self, *, by: Any = None, force: bool = False) -> bool:
        """Move to Deleted, "Cancelled by …"; False when the job had already ended.

        A running job hears of it by its context; `force` ends its worker process, and a fresh one takes its place.
        """
        return bool(verb_of("cancel")([self.pk], by=by, force=force))

    async def acancel(self, *, by: Any = None, force: bool = False) -> bool:
        return bool(await verb_of("acancel")([self.pk], by=by, force=force))

    def pause(self, *, by: Any = None) -> bool:
        """Pause: a waiting job at once, a running one at its next checkpoint. False when it had ended, or was asked."""
        return bool(verb_of("pause")([self.pk], by=by))

    async def apause(self, *, by: Any = None) -> bool:
        return bool(await verb_of("apause")([self.pk], by=by))

    def resume(self, *, by: Any = None) -> bool:
        """Go on from the last checkpoint, as what it was before the pause; False when it was not paused."""
        return bool(verb_of("resume")([self.pk], by=by))

    async def aresume(self, *, by: Any = None) -> bool:
        return bool(await verb_of("aresume")([self.pk], by=by))

    def requeue(self, *, by: Any = None, from_checkpoint: bool = False) -> bool:
        """Run again from the beginning, or `from_checkpoint`; failed attempts are counted anew.

        False when it waits in its queue, runs or is paused.
        """
        return bool(verb_of("requeue")([self.pk], by=by, from_checkpoint=from_checkpoint))

    async def arequeue(self, *, by: Any = None, from_checkpoint: bool = False) -> bool:
        return bool(await verb_of("arequeue")([self.pk], by=by, from_checkpoint=from_checkpoint))

    def reschedule(self, when: datetime | timedelta, *, by: Any = None) -> bool:
        """Run at `when` instead: an aware datetime, or a timedelta from now. False when it runs or has succeeded."""
        return bool(verb_of("reschedule")([self.pk], when, by=by))

    async def areschedule(self, when: datetime | timedelta, *, by: Any = None) -> bool:
        return bool(await verb_of("areschedule")([self.pk], when, by=by))

    def then(self, task: Any, /, *args: Any, **kwargs: Any) -> Job:
        """Store a job that starts when this one has succeeded; returns it, so that another can follow.

        task: a job type's function, with its options as `using` sets them; or a call of its `bind()`.
        on: how this one must have ended: "succeeded", "any" (Succeeded or Deleted), or "deleted". A job whose condition
        can no longer be met is deleted. One whose parent Failed waits until that one is requeued, or deleted.
        """
        child: Job = verb_of("then")(self, task, args, kwargs)
        return child

    async def athen(self, task: Any, /, *args: Any, **kwargs: Any) -> Job:
        child: Job = await verb_of("athen")(self, task, args, kwargs)
        return child

    def wait(self, timeout: float) -> Job:
        """This job once it has ended (Succeeded, Failed or Deleted); raises StillRunning, a TimeoutError."""
        ended: Job = verb_of("wait")(self.pk, timeout)
        return ended

    async def await_end(self, timeout: float) -> Job:
        ended: Job = await verb_of("await_end")(self.pk, timeout)
        return ended

    def history(self) -> list[JobState]:
        """Every state in order. The first entry is read from the job's row, so that an enqueue is one INSERT."""
        entries: list[JobState] = verb_of("history")(self)
        return entries
