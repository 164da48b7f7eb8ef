"""``manage.py demo_checks``: try every kind of job on the servers that run. `demo --check` starts it."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from example_project.demo.checks import Claim, claims, situation


class Command(BaseCommand):
    help = "Try every kind of job, print a table of what was expected and what came; exit status 1 if anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--server", default="", help="name of the server that has just been started")

    def handle(self, **options: Any) -> None:
        situation.server = options["server"]
        self.widths = [max(len(text) for text in column) for column in zip(*self._known(), strict=True)]
        self._row("kind", "expected", "got", "seconds", "")
        failed = sum(not self._try(claim) for claim in claims())
        total = len(claims())
        self.stdout.write(f"\n{total - failed} of {total} ok" + (f", {failed} FAILED" if failed else ""))
        sys.exit(int(failed > 0))

    def _known(self) -> list[tuple[str, str]]:
        return [("kind", "expected"), *((claim.kind, claim.expected) for claim in claims())]

    def _try(self, claim: Claim) -> bool:
        began = time.monotonic()
        got = claim.outcome()
        seconds = time.monotonic() - began
        good = got == claim.expected
        verdict = self.style.SUCCESS("ok") if good else self.style.ERROR("FAILED")
        self._row(claim.kind, claim.expected, got, f"{seconds:.2f}", verdict)
        return good

    def _row(self, kind: str, expected: str, got: str, seconds: str, verdict: str) -> None:
        first, second = self.widths
        self.stdout.write(f"{kind:{first}}  {expected:{second}}  {got:{second}}  {seconds:>7}  {verdict}".rstrip())
        self.stdout.flush()
