"""A line of a shell that runs a management command, understood without a shell."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from . import Unclear

PYTHON = re.compile(r"(?:python|pypy)[\d.]*$")
SEPARATORS = set("();<>|&")
REDIRECTION = re.compile(r"\s+(?:\d?>&\d|(?:\d|&)?>>?\s*([^\s<>|&;]+))\s*$")
EXPANDED = re.compile(r"[$`*?\[{~]")


@dataclass
class Command:
    """A management command with its arguments, as they stand on the line."""

    name: str
    arguments: list[str]
    overlap: str = "allow"
    notes: list[str] = field(default_factory=list)


def management_command(line: str) -> Command:
    """The management command that the line runs; raises Unclear for anything else."""
    line, notes = _without_redirections(line)
    words = _plain(_words(line))
    overlap = "allow"
    while words and (skipped := _wrapper(words)):
        if words[0].endswith("flock"):
            overlap = "skip"
            notes.append('flock kept it from running twice; overlap="skip" does')
        else:
            notes.append(f"{words[0]} is left out")
        words = words[skipped:]
    rest = _after_manage(words)
    if not rest:
        raise Unclear("runs no management command; make it a job type, and give that a timetable with @recurring")
    return Command(rest[0], rest[1:], overlap, notes)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError as error:
        raise Unclear(f"has a command that cannot be read: {error}") from None


def _without_redirections(line: str) -> tuple[str, list[str]]:
    """The line without where its output goes, and what is to be said of that."""
    notes: list[str] = []
    while found := REDIRECTION.search(line):
        line = line[: found.start()]
        if found[1]:
            notes.append(f"its output went to {found[1]}; it will be in the job's console")
    return line, notes


def _plain(words: list[str]) -> list[str]:
    """The words of the one command, without a ``cd`` before it."""
    if len(words) > 3 and words[0] == "cd" and words[2] == "&&":
        words = words[3:]
    for word in words:
        if set(word) <= SEPARATORS or EXPANDED.search(word):
            raise Unclear(f"needs a shell for {word!r}; make it a job type, and give that a timetable with @recurring")
    return words


def _wrapper(words: list[str]) -> int:
    """How many words at the beginning only stand around the command."""
    name = PurePosixPath(words[0]).name
    if name not in {"nice", "ionice", "flock", "exec"}:
        return 0
    count = 1
    while count < len(words) and words[count].startswith("-"):
        takes_value = re.fullmatch(r"-[ncpw]", words[count]) and name != "flock"
        count += 2 if takes_value or re.fullmatch(r"-[wE]", words[count]) else 1
    return count + (name == "flock")


def _after_manage(words: list[str]) -> list[str]:
    """What follows ``manage.py``, ``django-admin`` or ``python -m django``."""
    if words and PYTHON.match(PurePosixPath(words[0]).name):
        words = words[1:]
        while words and words[0] in {"-u", "-B", "-O"}:
            words = words[1:]
        if words[:2] == ["-m", "django"]:
            return words[2:]
    if words and PurePosixPath(words[0]).name in {"manage.py", "django-admin"}:
        return words[1:]
    return []
