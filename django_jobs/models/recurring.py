"""Recurring jobs: a call and the timetable by which it becomes a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from .. import clock
from ..call import as_python
from ..cron import CronError
from ..timetable import Timetable, parsed
from .fields import PartialIndex
from .job import Job
from .verbs import verb_of


class RecurringJobManager(models.Manager["RecurringJob"]):
    """Adds, changes and removes recurring jobs by their id."""

    def add_or_update(self, id: str, job_type: Any, /, **values: Any) -> RecurringJob:
        """Store the recurring job of that id: made where there is none, changed where there is one.

        job_type: a function under ``@job``, or the name of a type that is registered here or that a live server runs.
        cron: the expression; time_zone: an IANA name, default "UTC"; match_both_days: day of month *and* of week.
        args, kwargs: of each call. queue, priority: instead of the job type's.
        misfire: "relaxed", "strict" or "skip"; overlap: "allow", "skip" or "queue".
        starts_at, ends_at: aware datetimes; no run before the one, none after the other.
        jitter: seconds (or a timedelta) by which each run is put off at random, at most.
        description: for people. enabled: False stores it without running it.
        source: "code" keeps what an operator has changed since the code last said otherwise; "admin" and "api" do not.
        by: the user who asks.

        Raises InvalidJob naming the field; nothing is stored then.
        """
        row: RecurringJob = verb_of("add_or_update")(id, job_type, **values)
        return row

    async def aadd_or_update(self, id: str, job_type: Any, /, **values: Any) -> RecurringJob:
        row: RecurringJob = await verb_of("aadd_or_update")(id, job_type, **values)
        return row

    def remove(self, id: str) -> bool:
        """Delete the recurring job of that id; False where there is none. Its jobs stay."""
        return bool(verb_of("remove")(id))

    async def aremove(self, id: str) -> bool:
        return bool(await verb_of("aremove")(id))


class RecurringJob(models.Model):
    """A call that becomes a job at each tick of its timetable. `next_run` is when the leader looks at it next."""

    class Misfire(models.TextChoices):
        RELAXED = "relaxed", _("Relaxed: one run for all that were missed")
        STRICT = "strict", _("Strict: a run for each that was missed")
        SKIP = "skip", _("Skip: what was missed is not made up")

    class Overlap(models.TextChoices):
        ALLOW = "allow", _("Allow: runs may go on side by side")
        SKIP = "skip", _("Skip: no new run while the last one goes on")
        QUEUE = "queue", _("Queue: one run waits until the last one has ended")

    class Source(models.TextChoices):
        CODE = "code", _("Code")
        ADMIN = "admin", _("Admin")
        API = "api", _("API")

    id = models.CharField(_("id"), max_length=200, primary_key=True)
    description = models.CharField(_("description"), max_length=500, default="", blank=True)
    job_type = models.CharField(_("job type"), max_length=200)
    args = models.JSONField(_("arguments"), default=list, blank=True)
    kwargs = models.JSONField(_("keyword arguments"), default=dict, blank=True)
    queue = models.CharField(_("queue"), max_length=100)
    priority = models.SmallIntegerField(_("priority"), default=0)
    expires = models.DurationField(_("expires after"), null=True, blank=True)
    cron = models.CharField(_("cron expression"), max_length=500)
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    match_both_days = models.BooleanField(_("both days must match"), default=False)
    misfire = models.CharField(_("missed runs"), max_length=8, choices=Misfire.choices, default=Misfire.RELAXED)
    overlap = models.CharField(_("overlap"), max_length=8, choices=Overlap.choices, default=Overlap.ALLOW)
    starts_at = models.DateTimeField(_("not before"), null=True, blank=True)
    ends_at = models.DateTimeField(_("not after"), null=True, blank=True)
    jitter = models.PositiveIntegerField(_("jitter"), default=0)
    enabled = models.BooleanField(_("enabled"), default=True)

    since = models.DateTimeField(_("dealt with until"))
    next_run = models.DateTimeField(_("next run"), null=True, blank=True)
    last_run = models.DateTimeField(_("last run"), null=True, blank=True)
    last_job = models.ForeignKey(
        Job,
        verbose_name=_("last job"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    waiting_job = models.ForeignKey(
        Job,
        verbose_name=_("waiting job"),
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    error = models.CharField(_("error"), max_length=500, default="", blank=True)
    failures = models.PositiveSmallIntegerField(_("failed looks"), default=0)

    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.CODE)
    application = models.CharField(_("application"), max_length=100, default="", blank=True)
    # By the decorator: such a one stops when no living code declares it any more.
    by_decorator = models.BooleanField(default=False, editable=False)
    declared = models.JSONField(_("as declared"), default=dict, blank=True)
    orphaned_at = models.DateTimeField(_("orphaned"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    changed_at = models.DateTimeField(_("changed"))
    changed_by = models.CharField(_("changed by"), max_length=150, default="", blank=True)

    objects: ClassVar[RecurringJobManager] = RecurringJobManager()

    class Meta:
        verbose_name = _("recurring job")
        verbose_name_plural = _("recurring jobs")
        ordering = ["id"]
        permissions = [("trigger_recurringjob", _("Can trigger recurring jobs"))]
        indexes = [
            PartialIndex(fields=["next_run"], name="dj_recurring_due", where=Q(enabled=True)),
            PartialIndex(fields=["waiting_job"], name="dj_recurring_waiting", where=Q(waiting_job__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def call(self) -> str:
        """The call as it would be written in Python."""
        return as_python(self.job_type, self.args, self.kwargs)

    @property
    def timetable(self) -> Timetable:
        return Timetable(self.cron, self.time_zone, self.match_both_days, self.starts_at, self.ends_at)

    @property
    def words(self) -> str:
        """The expression in words of the active language, as `Cron.describe` has them; "" where it cannot be read."""
        try:
            return parsed(self.cron, self.time_zone, self.match_both_days).describe(get_language() or "en")
        except CronError:
            return ""

    @property
    def orphaned(self) -> bool:
        """Whether the code that declared it no longer does. It does not run then."""
        return self.orphaned_at is not None

    @property
    def status(self) -> str:
        """One word for how it is: "broken", "orphaned", "disabled", "ended" (no run will come), or "enabled"."""
        if self.error:
            return "broken"
        if self.orphaned or not self.enabled:
            return "orphaned" if self.orphaned else "disabled"
        return "ended" if self.next_run is None else "enabled"

    def next_runs(self, count: int = 5, after: datetime | None = None) -> list[datetime]:
        """The next times in its own zone, enabled or not; fewer where it ends. Raises CronError where it is broken."""
        table = self.timetable
        return [tick.astimezone(table.zone) for tick in table.runs(after or clock.now(), count)]

    def edited(self) -> list[str]:
        """Names of the fields that an operator changed from what the code declares."""
        names: list[str] = verb_of("edited")(self)
        return names

    def trigger(self, *, by: Any = None) -> Job:
        """Enqueue a run now, enabled or not, whatever else runs. The timetable stays as it is."""
        job: Job = verb_of("trigger")(self.pk, by=by)
        return job

    async def atrigger(self, *, by: Any = None) -> Job:
        job: Job = await verb_of("atrigger")(self.pk, by=by)
        return job

    def enable(self, *, by: Any = None) -> bool:
        """Run by the timetable from now on; what was missed is not made up. False when it already did."""
        return bool(self._refreshed(verb_of("enable")(self.pk, by=by)))

    async def aenable(self, *, by: Any = None) -> bool:
        return bool(self._refreshed(await verb_of("aenable")(self.pk, by=by)))

    def disable(self, *, by: Any = None) -> bool:
        """Do not run by the timetable until enabled. False when it already did not."""
        return bool(self._refreshed(verb_of("disable")(self.pk, by=by)))

    async def adisable(self, *, by: Any = None) -> bool:
        return bool(self._refreshed(await verb_of("adisable")(self.pk, by=by)))

    def _refreshed(self, row: RecurringJob | None) -> RecurringJob | None:
        """Take over what the verb wrote, so that this object says the same as the row."""
        if row is not None:
            for field in self._meta.concrete_fields:
                setattr(self, field.attname, getattr(row, field.attname))
        return row
