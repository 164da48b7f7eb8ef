"""``jobs groups``."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandParser

from ... import groups
from ..exits import Failed
from ..output import write_done, write_list

HELP = "list the groups of users that migrate makes, with their permissions, or restore them"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "order", nargs="?", choices=["restore"], help="make those that are missing, and give each what it lacks"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if not apps.is_installed("django.contrib.auth"):
        raise Failed("There are no groups: django.contrib.auth is not installed")
    if options["order"]:
        _restore(command, options)
        return
    held = groups.held()
    rows = ((name, ", ".join(permissions)) for name, permissions in held.items())
    empty = "There are no such groups: `jobs groups restore` makes them."
    write_list(command, options, ("group", "permissions"), rows, held, empty)


def _restore(command: BaseCommand, options: dict[str, Any]) -> None:
    added = groups.restore()
    lines = [f"{name}: {', '.join(names) if names else 'nothing was missing'}" for name, names in added.items()]
    write_done(command, options, "\n".join(lines), added=added)
