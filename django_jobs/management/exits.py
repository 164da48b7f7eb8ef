"""How commands end, for scripts: the exit statuses of ``manage.py jobs``."""

from __future__ import annotations

from enum import IntEnum

from django.core.management.base import CommandError


class Exit(IntEnum):
    """An exit status, with its meaning."""

    meaning: str

    def __new__(cls, status: int, meaning: str) -> Exit:
        made = int.__new__(cls, status)
        made._value_ = status
        made.meaning = meaning
        return made

    DONE = 0, "done; a list has at least one line"
    NOT_DONE = 1, "nothing matched, something could not be done, or a problem was found"
    MISUSED = 2, "wrong usage: an option, a value or a name that cannot be; nothing was done"
    STILL_RUNNING = 3, "a job did not end while it was waited for"
    NO_DATABASE = 4, "the database cannot be used"


class Failed(CommandError):
    """What was asked for was not done, or is not there."""

    def __init__(self, message: str, status: Exit = Exit.NOT_DONE) -> None:
        super().__init__(message, returncode=status)


class NothingFound(Failed):
    """There is nothing to list."""


class Misused(Failed):
    """The command was called in a way that makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.MISUSED)
