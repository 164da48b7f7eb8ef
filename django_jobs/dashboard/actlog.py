"""What people do by the REST API, in the admin's log: in the words of what they do here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth import get_user_model
from django.dispatch import receiver
from django.utils.translation import gettext as _

from .. import clock, signals
from ..models import Batch, Job, Queue, RecurringJob, Server
from . import queuewords
from .orders import ORDERS
from .recurringverbs import VERBS
from .verbs import DEEDS

Facts = Mapping[str, Any]
Words = str | list[dict[str, Any]]
"""A text, or what Django's admin makes one of in the reader's language."""


@receiver(signals.acted, dispatch_uid="django_jobs.dashboard.actlog")
def write_down(sender: Any, *, by: Any, act: str, on: Any, facts: Facts, **kwargs: Any) -> None:
    """In the transaction of the act. A caller who is no user of this site, as some tokens' are, has no log."""
    if isinstance(by, get_user_model()):
        flag, text = _entry(act, on, facts)
        LogEntry.objects.log_actions(by.pk, [on], flag, text)


def _entry(act: str, on: Any, facts: Facts) -> tuple[int, Words]:
    match on:
        case Job():
            return CHANGE, _changed("scheduled_at") if act == "reschedule" else str(DEEDS[act].logged)
        case Batch():
            return CHANGE, _("Cancelled.")
        case Server():
            return CHANGE, str(ORDERS[act].logged)
        case Queue():
            return CHANGE, _of_queue(act, on.name, facts)
        case RecurringJob():
            return _of_recurring(act, facts)
    raise TypeError(f"{on!r} is nothing that people act on")


def _changed(*fields: str) -> Words:
    return [{"changed": {"fields": list(fields)}}]


def _of_recurring(act: str, facts: Facts) -> tuple[int, Words]:
    if act in VERBS:
        return CHANGE, str(VERBS[act].logged)
    words: dict[str, tuple[int, Words]] = {"add": (ADDITION, [{"added": {}}]), "delete": (DELETION, "")}
    return words[act] if act in words else (CHANGE, _changed(*facts["fields"]))


def _of_queue(act: str, name: str, facts: Facts) -> str:
    if act == "resume":
        return queuewords.resumed(name)
    if act == "purge":
        return queuewords.purged(name, facts["deleted"])
    until: datetime | timedelta | None = facts["until"]
    return queuewords.paused(name, until - clock.now() if isinstance(until, datetime) else until)
