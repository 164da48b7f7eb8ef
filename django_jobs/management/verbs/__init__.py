"""The verbs of ``manage.py jobs``. A verb is a module with HELP, add_arguments() and run(), named here."""

from __future__ import annotations

from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandParser

from . import acting, cleanup, doctor, enqueue, listing, queues, servers, show, stats


class Verb(Protocol):
    HELP: str
    """What it does, in one line."""

    def add_arguments(self, parser: CommandParser) -> None: ...

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        """Raises CommandError, whose return code is the exit status."""


VERBS: dict[str, Verb] = {
    "list": listing,
    "show": show,
    "enqueue": enqueue,
    "cancel": acting.cancel,
    "requeue": acting.requeue,
    "delete": acting.delete,
    "stats": stats,
    "queues": queues,
    "servers": servers,
    "doctor": doctor,
    "cleanup": cleanup,
}
