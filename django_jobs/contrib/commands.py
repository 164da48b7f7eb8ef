"""Management commands as jobs: those that the setting ``COMMANDS`` names, and no other.

Who may enqueue jobs or make recurring ones could otherwise run ``shell`` or ``flush``.
"""

from __future__ import annotations

import io
from collections.abc import Callable

from django.core.management import call_command
from django.core.management.base import CommandError

from ..conf import settings
from ..context import JobContext
from ..decorators import job
from .allowing import JOB_TYPE, allowed


class CommandNotAllowed(PermissionError):
    """A job is to run a management command that ``DJANGO_JOBS["COMMANDS"]`` does not name."""


class _Lines(io.TextIOBase):
    """Gives each whole line to the console."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = ""

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def finish(self) -> None:
        if self._rest:
            self._say(self._rest)


@job(JOB_TYPE, takes_context=True)
def run_command(ctx: JobContext, name: str, *arguments: str) -> None:
    """Run a management command with these arguments, as they would stand on the command line."""
    if not allowed(name):
        raise CommandNotAllowed(f"{name!r} is not one of DJANGO_JOBS['COMMANDS']: {', '.join(settings.COMMANDS)}")
    out, err = _Lines(ctx.log), _Lines(lambda line: ctx.log(line, level="warning"))
    try:
        call_command(name, *arguments, stdout=out, stderr=err, no_color=True)
    except SystemExit as end:
        if end.code not in (None, 0):
            raise CommandError(f"{name} ended with status {end.code}") from None
    finally:
        out.finish()
        err.finish()
