"""``jobs doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import doctor as examination
from ..exits import Failed
from ..output import write_json

HELP = "look for what is wrong and say what to do; exit status 1 if something is"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    findings = examination.examine()
    if options["json"]:
        write_json(command, [asdict(finding) for finding in findings])
    else:
        for finding in findings:
            _write(command, finding)
    errors = sum(finding.level == "error" for finding in findings)
    if errors:
        raise Failed(f"{errors} thing(s) are wrong")


def _write(command: BaseCommand, finding: examination.Finding) -> None:
    paint = {"ok": command.style.SUCCESS, "warning": command.style.WARNING, "error": command.style.ERROR}[finding.level]
    command.stdout.write(f"{paint(finding.level.ljust(7))} {finding.subject}: {finding.found}{finding.quote}")
    if finding.remedy:
        command.stdout.write(f"        → {finding.remedy}")
