"""What a person may do to jobs here: how it is offered, done, told and written to the admin's log."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.utils.translation import gettext, gettext_lazy, ngettext_lazy

from .. import client, monitoring, states
from ..exceptions import FilterFailed
from ..models import Job
from ..policies.unique import rival
from ..states import moves
from ..transactions import atomic
from .display import LABELS

logger = logging.getLogger("django_jobs.dashboard")


@dataclass(frozen=True)
class Deed:
    """A verb of the law of states, in words."""

    verb: states.Verb
    label: Any
    hint: Any
    done: Any
    done_to_many: Any
    logged: Any
    asked: Any = None
    """What is told where the job still runs, and was only asked."""
    force: bool = False

    @property
    def name(self) -> str:
        return "force" if self.force else self.verb.name

    def do(self, ids: Sequence[int], by: Any, expected: Collection[str] | None = None) -> list[int]:
        """The ids that moved, or were asked, of those in an `expected` state: the one that the page showed."""
        options = {"force": True} if self.force else {}
        moved: list[int] = client.verb(self.verb.name)(ids, by=by, expected=expected, **options)
        return moved


DEEDS: dict[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed(
            states.VERBS["requeue"],
            gettext_lazy("Requeue"),
            gettext_lazy("Run it again; failed attempts are counted anew"),
            gettext_lazy("Job #%(id)s was requeued."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was requeued.", "%(moved)d of %(asked)d jobs were requeued.", "asked"
            ),
            gettext_lazy("Requeued."),
        ),
        Deed(
            states.VERBS["pause"],
            gettext_lazy("Pause"),
            gettext_lazy("Do not start it; if it runs, stop at its next checkpoint"),
            gettext_lazy("Job #%(id)s was paused."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was paused, or asked to.",
                "%(moved)d of %(asked)d jobs were paused, or asked to.",
                "asked",
            ),
            gettext_lazy("Paused."),
            gettext_lazy("Job #%(id)s was asked to pause at its next checkpoint."),
        ),
        Deed(
            states.VERBS["resume"],
            gettext_lazy("Resume"),
            gettext_lazy("Go on from its last checkpoint"),
            gettext_lazy("Job #%(id)s was resumed."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was resumed.", "%(moved)d of %(asked)d jobs were resumed.", "asked"
            ),
            gettext_lazy("Resumed."),
        ),
        Deed(
            states.VERBS["cancel"],
            gettext_lazy("Cancel"),
            gettext_lazy("Do not run it, or drop what it is running"),
            gettext_lazy("Job #%(id)s was cancelled."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was cancelled.", "%(moved)d of %(asked)d jobs were cancelled.", "asked"
            ),
            gettext_lazy("Cancelled."),
        ),
        Deed(
            states.VERBS["cancel"],
            gettext_lazy("Cancel by force"),
            gettext_lazy("End its worker process, which a fresh one replaces; what else it runs goes back, uncounted"),
            gettext_lazy("Job #%(id)s was cancelled by force."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was cancelled by force.",
                "%(moved)d of %(asked)d jobs were cancelled by force.",
                "asked",
            ),
            gettext_lazy("Cancelled by force."),
            force=True,
        ),
        Deed(
            states.VERBS["delete"],
            gettext_lazy("Delete"),
            gettext_lazy("Move it to Deleted; it is kept there for a while and can be requeued"),
            gettext_lazy("Job #%(id)s was deleted."),
            ngettext_lazy(
                "%(moved)d of %(asked)d job was deleted.", "%(moved)d of %(asked)d jobs were deleted.", "asked"
            ),
            gettext_lazy("Deleted."),
        ),
    )
}


def carry_out(deed: Deed, ids: Sequence[int], by: Any, expected: Collection[str] | None = None) -> list[int]:
    """Do it in sets, each together with its entries in the admin's log; returns the ids that moved."""
    moved: list[int] = []
    for start in range(0, len(ids), moves.SET_SIZE):
        with atomic():
            part = deed.do(ids[start : start + moves.SET_SIZE], by, expected)
            _log(deed, part, by)
        moved += part
    return moved


def _log(deed: Deed, ids: Collection[int], by: Any) -> None:
    if ids:
        jobs = monitoring.jobs().only("pk", "job_type").in_bulk(list(ids)).values()
        LogEntry.objects.log_actions(by.pk, list(jobs), CHANGE, str(deed.logged))


def told(deed: Deed, job: Job, *, moved: bool) -> tuple[int, str]:
    """Level and text of the message about one job; one that did not move says where it is now."""
    now = monitoring.jobs().filter(pk=job.pk).values_list("state", flat=True).first()
    if moved:
        runs_on = deed.asked is not None and now == states.PROCESSING
        return messages.SUCCESS, (deed.asked if runs_on else deed.done) % {"id": job.pk}
    if now is None:
        return messages.WARNING, gettext("Nothing was done: job #%(id)s is no longer stored.") % {"id": job.pk}
    if now in states.ENDED and now in deed.verb.sources and (holder := rival(job)) is not None:
        text = gettext("Nothing was done: job #%(holder)s has the unique key of job #%(id)s.")
        return messages.WARNING, text % {"id": job.pk, "holder": holder}
    text = gettext("Nothing was done: job #%(id)s is %(state)s now.")
    return messages.WARNING, text % {"id": job.pk, "state": LABELS[now]}


def refused(failure: FilterFailed) -> tuple[int, str]:
    """Level and text of the message when a filter raised: what it said may be payload, so its kind must do."""
    logger.error("A verb was refused", exc_info=failure)
    return messages.ERROR, gettext("Nothing was done: %(reason)s.") % {"reason": failure.reason}


def told_of_many(deed: Deed, moved: int, asked: int) -> tuple[int, str]:
    """Level and text of the message about a set of jobs."""
    text = deed.done_to_many % {"moved": moved, "asked": asked}
    if moved == asked:
        return messages.SUCCESS, text
    rest = gettext("The others are in a state that does not allow it, have moved on, or their unique key is taken.")
    return messages.WARNING if moved else messages.ERROR, f"{text} {rest}"


def done_to_all(deed: Deed, ids: Sequence[int], by: Any, expected: Collection[str]) -> tuple[int, str]:
    """Do it to all of these that are in an `expected` state; level and text of the message."""
    try:
        return told_of_many(deed, len(carry_out(deed, ids, by, expected)), len(ids))
    except FilterFailed as failure:
        return refused(failure)
