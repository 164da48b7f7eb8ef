"""``jobs completion``."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ..completion import SOURCES, bash
from ..output import write_done

HELP = 'write a script that completes these verbs in bash: eval "$(python manage.py jobs completion bash)"'


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("what", choices=["bash", *SOURCES], help="the script; or the names of one kind, a line each")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["what"] == "bash":
        script = bash(_parsers(command))
        write_done(command, options, script, script=script)
    else:
        names = sorted(SOURCES[options["what"]]())
        write_done(command, options, "\n".join(names), names=names)


def _parsers(command: BaseCommand) -> dict[str, argparse.ArgumentParser]:
    parser = command.create_parser("manage.py", "jobs")
    (verbs,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return dict(verbs.choices)
