"""The verbs of ``manage.py jobs``. A verb is a module with HELP, add_arguments() and run(), named here."""

from __future__ import annotations

from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandParser

from . import (
    acting,
    batches,
    cleanup,
    completion,
    console,
    consume,
    doctor,
    enqueue,
    groups,
    importing,
    listing,
    queues,
    schedules,
    servers,
    show,
    stats,
)


class Verb(Protocol):
    HELP: str
    """What it does, in one line."""

    def add_arguments(self, parser: CommandParser) -> None: ...

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Raises CommandError, whose return code is the exit status (`management.exits`)."""


VERBS: dict[str, Verb] = {
    "list": listing,
    "show": show,
    "console": console,
    "enqueue": enqueue,
    "cancel": acting.cancel,
    "pause": acting.pause,
    "resume": acting.resume,
    "requeue": acting.requeue,
    "retry": acting.retry,
    "delete": acting.delete,
    "stats": stats,
    "queues": queues,
    "servers": servers,
    "schedules": schedules.listing,
    "sync": schedules.sync,
    "trigger": schedules.trigger,
    "batches": batches,
    "doctor": doctor,
    "cleanup": cleanup,
    "consume": consume,
    "import": importing,
    "groups": groups,
    "completion": completion,
}
