"""``jobs console``."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.timezone import localtime

from ... import events, monitoring, states
from ...models import ConsoleLine, Job
from ..inputs import whole
from ..output import find, write_json
from ..tables import visible

HELP = "what a job said while it ran, and where its progress bars stand"
LOOK = 0.5
"""Seconds after which `--follow` looks for lines, even though no event came."""
PAGE = 1000


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=int, help="number of the job")
    parser.add_argument("--run", type=whole("run", 1), metavar="N", help="only of this run")
    parser.add_argument("--follow", action="store_true", help="go on until the job has ended")
    parser.add_argument("--json", action="store_true", help="write JSON, all there is by now")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    job = find(options["id"])
    if options["json"]:
        write_json(command, facts(job, options["run"]))
    elif options["follow"]:
        _follow(command, job, options["run"])
    else:
        write(command, job, options["run"])


def _follow(command: BaseCommand, job: Job, run: int | None) -> None:
    with events.listen("console", "ended") as listener:
        last = 0
        while job.state not in states.ENDED:
            last = _write_lines(command, job, run, last)
            _until_heard(listener, job)
            job = find(job.pk)
    _write_lines(command, job, run, last)
    _write_bars(command, job, run)


def write(command: BaseCommand, job: Job, run: int | None = None) -> None:
    _write_lines(command, job, run, 0)
    _write_bars(command, job, run)


def facts(job: Job, run: int | None = None) -> dict[str, Any]:
    """What scripts get to read of it."""
    lines = monitoring.console(job.pk, run=run, limit=100_000)
    return {
        "console": [
            {name: getattr(line, name) for name in ("run", "number", "at", "level", "color", "text")} for line in lines
        ],
        "progress": [
            {name: getattr(bar, name) for name in ("run", "name", "value", "total", "at")}
            for bar in monitoring.progress(job.pk, run=run)
        ],
        "metadata": monitoring.metadata(job.pk),
    }


def _until_heard(listener: events.Listener, job: Job) -> None:
    end = time.monotonic() + LOOK
    while (left := end - time.monotonic()) > 0:
        event = listener.hear(left)
        if event is not None and job.pk in event["ids"]:
            return


def _write_lines(command: BaseCommand, job: Job, run: int | None, last: int) -> int:
    """Write the lines after that number; returns the number of the last one."""
    while lines := monitoring.console(job.pk, after=last, run=run, limit=PAGE):
        for line in lines:
            missing = line.number - last - 1
            if missing > 0 and (last or run is None):
                command.stdout.write(command.style.NOTICE(f"… {missing:,} lines left out …"))
            command.stdout.write(f"{localtime(line.at):%H:%M:%S.%f}"[:-3] + "  " + _painted(command, line))
            last = line.number
    return last


def _painted(command: BaseCommand, line: ConsoleLine) -> str:
    styles = {
        "success": command.style.SUCCESS,
        "warning": command.style.WARNING,
        "error": command.style.ERROR,
        "critical": command.style.ERROR,
        "debug": command.style.NOTICE,
    }
    return styles.get(line.level, str)(visible(line.text, "\n\t"))


def _write_bars(command: BaseCommand, job: Job, run: int | None) -> None:
    for bar in monitoring.progress(job.pk, run=run):
        percent = "" if bar.percent is None else f" ({bar.percent:g} %)"
        command.stdout.write(f"{visible(str(bar))}{percent}")
