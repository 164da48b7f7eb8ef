"""A batch: jobs that were created together and are looked at as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .fields import PartialIndex, forget_user
from .verbs import verb_of

if TYPE_CHECKING:
    from ..batching import BoundBatch
    from ..policies.batches import Progress
    from .job import Job


class Batch(models.Model):
    """`state` is "started" until every member is Succeeded or Deleted; then "succeeded", or "finished" if not all were.

    A Failed member waits for a person, and so does its batch. A batch inside another has it as `parent`.
    """

    class State(models.TextChoices):
        STARTED = "started", _("Started")
        SUCCEEDED = "succeeded", _("Succeeded")
        FINISHED = "finished", _("Finished")

    id = models.BigAutoField(primary_key=True)
    description = models.CharField(_("description"), max_length=200, default="", blank=True)
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.STARTED)
    state_at = models.DateTimeField(_("in this state since"))
    parent = models.ForeignKey(
        "self",
        verbose_name=_("part of"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="parts",
        db_constraint=False,
    )
    created_at = models.DateTimeField(_("created"))
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
    cancelled_at = models.DateTimeField(_("cancelled"), null=True, blank=True)
    cancelled_by = models.CharField(_("cancelled by"), max_length=150, default="", blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            PartialIndex(fields=["id"], name="dj_batch_started", where=Q(state="started")),
            PartialIndex(fields=["expires_at"], name="dj_batch_expires", where=Q(expires_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.description}".strip()

    @classmethod
    def start(cls, description: str, members: Iterable[Any], **options: Any) -> Batch:
        """Store a batch with all its members, in the caller's transaction, all or none.

        members: calls, as ``task.bind(…)`` returns them (with options, and with what follows them), and batches, as
        ``Batch.bind(…)`` returns them.
        created_by: a user; also of members that name none.
        after, on: what the members wait for, as in ``task.using(after=[…], on="any")``.

        Raises InvalidJob, naming the field.
        """
        batch: Batch = verb_of("start_batch")(description, members, **options)
        return batch

    @classmethod
    async def astart(cls, description: str, members: Iterable[Any], **options: Any) -> Batch:
        batch: Batch = await verb_of("astart_batch")(description, members, **options)
        return batch

    @staticmethod
    def bind(description: str, members: Iterable[Any]) -> BoundBatch:
        """A batch that is not stored yet: to be a part of another one, whose progress counts its members, too."""
        bound: BoundBatch = verb_of("bind_batch")(description, members)
        return bound

    @staticmethod
    def current() -> Batch | None:
        """The batch of the job that is running here; None outside of a job, or if it is no member of one."""
        batch: Batch | None = verb_of("current_batch")()
        return batch

    def add(self, members: Iterable[Any]) -> list[Job]:
        """Store further members; a batch that had ended is open again. Returns their jobs. Raises InvalidJob."""
        jobs: list[Job] = verb_of("extend_batch")(self, members)
        return jobs

    async def aadd(self, members: Iterable[Any]) -> list[Job]:
        jobs: list[Job] = await verb_of("aextend_batch")(self, members)
        return jobs

    def then(self, task: Any, /, *args: Any, **kwargs: Any) -> Job:
        """Store a job that starts when every member has succeeded; returns it.

        on: "any" starts it when every member is Succeeded or Deleted, "deleted" when at least one of them is Deleted. A
        job whose condition can no longer be met is deleted. A Failed member keeps it waiting.
        """
        child: Job = verb_of("then")(self, task, args, kwargs)
        return child

    async def athen(self, task: Any, /, *args: Any, **kwargs: Any) -> Job:
        child: Job = await verb_of("athen")(self, task, args, kwargs)
        return child

    @property
    def progress(self) -> Progress:
        """``total``, ``done``, ``failed``, ``deleted``, ``ended``, ``open`` and ``percent`` of this moment."""
        found: Progress = verb_of("batch_progress")(self)
        return found

    def cancel(self, *, by: Any = None) -> bool:
        """From now on no member starts; those that wait or run are cancelled, in sets. False if it had ended."""
        return bool(verb_of("cancel_batch")(self, by=by))

    async def acancel(self, *, by: Any = None) -> bool:
        return bool(await verb_of("acancel_batch")(self, by=by))

    def wait(self, timeout: float) -> Batch:
        """This batch once it has ended; raises StillStarted, a TimeoutError, after `timeout` seconds."""
        ended: Batch = verb_of("wait_for_batch")(self, timeout)
        return ended


class BatchCount(models.Model):
    """Append-only deltas of a batch's members: the sums are its progress. Members of parts count for the whole, too."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="counts", db_constraint=False)
    total = models.IntegerField(default=0)
    succeeded = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    deleted = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.succeeded:+d} {self.failed:+d} {self.deleted:+d} of {self.total:+d}"
