"""What a person may do to recurring jobs here: how it is offered, done, told and written to the admin's log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.utils.translation import gettext_lazy, ngettext_lazy

from .. import schedules
from ..models import RecurringJob
from ..transactions import atomic


@dataclass(frozen=True)
class Verb:
    """A verb in words. `permission` is that of the model."""

    name: str
    permission: str
    applies: Callable[[RecurringJob], bool]
    label: Any
    hint: Any
    done: Any
    logged: Any


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "trigger",
            "trigger",
            lambda row: True,
            gettext_lazy("Trigger now"),
            gettext_lazy("Enqueue a run at once, beside the timetable"),
            ngettext_lazy(
                "%(done)d of %(asked)d recurring job was triggered.",
                "%(done)d of %(asked)d recurring jobs were triggered.",
                "asked",
            ),
            gettext_lazy("Triggered."),
        ),
        Verb(
            "enable",
            "change",
            lambda row: not row.enabled or row.orphaned,
            gettext_lazy("Enable"),
            gettext_lazy("Run by the timetable from now on; what was missed is not made up"),
            ngettext_lazy(
                "%(done)d of %(asked)d recurring job was enabled.",
                "%(done)d of %(asked)d recurring jobs were enabled.",
                "asked",
            ),
            gettext_lazy("Enabled."),
        ),
        Verb(
            "disable",
            "change",
            lambda row: (row.enabled and not row.orphaned) or schedules.gave_up(row),
            gettext_lazy("Disable"),
            gettext_lazy("Do not run by the timetable until it is enabled"),
            ngettext_lazy(
                "%(done)d of %(asked)d recurring job was disabled.",
                "%(done)d of %(asked)d recurring jobs were disabled.",
                "asked",
            ),
            gettext_lazy("Disabled."),
        ),
    )
}


def carry_out(verb: Verb, rows: Sequence[RecurringJob], by: Any) -> list[RecurringJob]:
    """Do it to each, together with an entry in the admin's log; returns those that it changed."""
    with atomic():
        done = [row for row in rows if schedules.verb(verb.name)(row.pk, by=by)]
        if done:
            LogEntry.objects.log_actions(by.pk, done, CHANGE, str(verb.logged))
    return done
