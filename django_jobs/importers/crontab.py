"""Crontab files: of a user (`crontab -l`), or of the system (`/etc/crontab`, with a column for the user).

Nothing of a crontab is ever given to a shell. A line that runs ``manage.py NAME …`` becomes a recurring job that runs
that management command; any other line is reported, to become a job type of yours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..contrib.allowing import JOB_TYPE, allowed
from . import Found, Unclear, unused_id
from .commandline import management_command

VARIABLE = re.compile(r"""^\s*(?:"([^"]+)"|'([^']+)'|([A-Za-z_]\w*))\s*=\s*(.*?)\s*$""")
COMMENT = re.compile(r"^\s*#+\s?(.*?)\s*$")
ENTRY = re.compile(r"^\s*(@\S+|\S+(?:\s+\S+){4})\s+(\S.*?)\s*$")
USER = re.compile(r"^(\S+)\s+(\S.*)$")
LONGEST = 500


@dataclass
class _Above:
    """What stands above a line, and holds for it."""

    variables: dict[str, str] = field(default_factory=dict)
    comment: list[str] = field(default_factory=list)

    def take(self, line: str) -> bool:
        """Whether the line was no entry, but something that is to be remembered."""
        if not line.strip():
            self.comment.clear()
        elif found := COMMENT.match(line):
            self.comment.append(found[1])
        elif found := VARIABLE.match(line):
            self.variables[found[1] or found[2] or found[3]] = found[4].strip("\"'")
            self.comment.clear()
        else:
            return False
        return True

    def description(self) -> str:
        text = " ".join(part for part in self.comment if part)[:LONGEST]
        self.comment.clear()
        return text


def read(text: str, *, system: bool, time_zone: str, prefix: str = "", queue: str | None = None) -> list[Found]:
    """Every entry of a crontab, in order. `time_zone` is that of the host, where no ``CRON_TZ`` says otherwise."""
    above, found, taken = _Above(), list[Found](), set[str]()
    for number, line in enumerate(text.splitlines(), 1):
        if above.take(line):
            continue
        entry = Found(f"line {number}", line.strip())
        entry.terms = {"description": above.description(), "queue": queue, "time_zone": time_zone}
        try:
            _fill(entry, line, system, above.variables)
            entry.id = unused_id(f"{prefix}{entry.terms['args'][0]}", taken)
        except Unclear as error:
            entry.problem = str(error)
        found.append(entry)
    return found


def _fill(entry: Found, line: str, system: bool, variables: Mapping[str, str]) -> None:
    matched = ENTRY.match(line)
    if matched is None:
        raise Unclear("is no line of a crontab: give five fields, or @daily and the like, and a command")
    cron, rest = matched[1], matched[2]
    if system:
        user = USER.match(rest)
        if user is None:
            raise Unclear("has no user before its command; leave out --system for a user's own crontab")
        rest = user[2]
        entry.notes.append(f"ran as {user[1]}; it will run as the user of `runjobs`")
    entry.terms["cron"] = _cron(cron)
    command = management_command(_without_input(rest))
    entry.notes += [*_notes(variables), *command.notes]
    entry.job_type = JOB_TYPE
    entry.terms |= {"args": [command.name, *command.arguments], "overlap": command.overlap}
    if variables.get("CRON_TZ"):
        entry.terms["time_zone"] = variables["CRON_TZ"]
    if not allowed(command.name):
        raise Unclear(f"runs {command.name}, which DJANGO_JOBS['COMMANDS'] does not allow; add it there if it may run")


def _cron(text: str) -> str:
    if text == "@reboot":
        raise Unclear("@reboot is no time: let what starts `runjobs` start it, or enqueue it in your deploy")
    return " ".join(text.split())


def _without_input(command: str) -> str:
    """The command up to its first ``%``; a job has no standard input."""
    given, *rest = re.split(r"(?<!\\)%", command, maxsplit=1)
    if rest and rest[0]:
        raise Unclear("feeds the text after % to its command's standard input; pass it as an argument instead")
    return given.replace(r"\%", "%")


def _notes(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if name == "MAILTO":
            to = f"was mailed to {value}" if value else "was mailed to nobody"
            yield f"its output {to}; it will be in the job's console, and failures in the admin"
        elif name != "CRON_TZ":
            yield f"{name} was set above it; it will have the environment of `runjobs`"
