"""What a person may do to jobs here: how it is offered, done, told and written to the admin's log."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.utils.translation import gettext, gettext_lazy, ngettext_lazy

from .. import client, monitoring, states
from ..conf import settings
from ..models import Job
from ..states import machine
from .display import LABELS


@dataclass(frozen=True)
class Deed:
    """A verb of the law of states, in words."""

    verb: states.Verb
    label: Any
    hint: Any
    done: Any
    done_to_many: Any
    logged: Any


DEEDS: dict[str, Deed] = {
    deed.verb.name: deed
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


def carry_out(deed: Deed, ids: Sequence[int], by: Any) -> list[int]:
    """Do it in sets, each together with its entries in the admin's log; returns the ids that moved."""
    moved: list[int] = []
    for start in range(0, len(ids), machine.SET_SIZE):
        with transaction.atomic(using=settings.DATABASE):
            part = client.verb(deed.verb.name)(ids[start : start + machine.SET_SIZE], by=by)
            _log(deed, part, by)
        moved += part
    return moved


def _log(deed: Deed, ids: Collection[int], by: Any) -> None:
    if ids:
        jobs = monitoring.jobs().only("pk", "job_type").in_bulk(list(ids)).values()
        LogEntry.objects.log_actions(by.pk, list(jobs), CHANGE, str(deed.logged))


def told(deed: Deed, job: Job, *, moved: bool) -> tuple[int, str]:
    """Level and text of the message about one job; one that did not move says where it is now."""
    if moved:
        return messages.SUCCESS, deed.done % {"id": job.pk}
    now = monitoring.jobs().filter(pk=job.pk).values_list("state", flat=True).first()
    if now is None:
        return messages.WARNING, gettext("Nothing was done: job #%(id)s is no longer stored.") % {"id": job.pk}
    text = gettext("Nothing was done: job #%(id)s is %(state)s now.")
    return messages.WARNING, text % {"id": job.pk, "state": LABELS[now]}


def told_of_many(deed: Deed, moved: int, asked: int) -> tuple[int, str]:
    """Level and text of the message about a set of jobs."""
    text = deed.done_to_many % {"moved": moved, "asked": asked}
    if moved == asked:
        return messages.SUCCESS, text
    rest = gettext("The others are in a state that does not allow it, or have moved on meanwhile.")
    return messages.WARNING if moved else messages.ERROR, f"{text} {rest}"
