"""``jobs import``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.management.base import BaseCommand, CommandParser

from ... import creation, importers, queues
from ...call import as_python
from ...contrib.allowing import JOB_TYPE
from ...cron import CronError
from ...cron.schedule import zone_named
from ...importers import Found, Unclear, celerybeat, crontab, djangoq, rqschedules
from ...registry import registry
from ..exits import Failed, Misused, NothingFound
from ..output import write_json

HELP = "read the timetables of another system and store them as recurring jobs; says what cannot be carried over"
LARGEST = 2**20


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("format", choices=[*SOURCES], help="the system that has the timetables")
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="of crontab (- for standard input) and of rq-cron; others have none"
    )
    parser.add_argument("--dry-run", action="store_true", help="store nothing, only tell")
    parser.add_argument("--system", action="store_true", help="crontab with a column for the user; in /etc it is so")
    parser.add_argument("--time-zone", metavar="ZONE", help="of times without one (TIME_ZONE)")
    parser.add_argument("--prefix", default="", help="before the id of each recurring job")
    parser.add_argument("--queue", help="for all of them")
    parser.add_argument(
        "--map", action="append", default=[], metavar="OLD=NAME", help="the job type for a task or function; repeatable"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    _check_options(options)
    entries = _read_entries(options)
    (importers.check if options["dry_run"] else importers.store)(entries)
    left = sum(bool(entry.problem) for entry in entries)
    if options["json"]:
        write_json(command, [_facts(entry) for entry in entries])
    else:
        for entry in entries:
            _write(command, entry)
        verb = "would be stored" if options["dry_run"] else "stored"
        command.stdout.write(f"{len(entries) - left} of {len(entries)} {verb}, {left} not carried over")
    if not entries:
        raise NothingFound("There is nothing to import.")
    if left:
        raise Failed(f"{left} of {len(entries)} could not be carried over")


def _check_options(options: dict[str, Any]) -> None:
    """Raises Misused, or InvalidJob for a queue that is not there."""
    source = options["format"]
    if (options["file"] is None) == (source in WITH_FILE):
        raise Misused(f"{source} needs a FILE" if source in WITH_FILE else f"{source} has no FILE")
    if options["queue"]:
        creation.checked_queue(options["queue"])
    if options["time_zone"] is not None:
        try:
            zone_named(options["time_zone"])
        except CronError as error:
            raise Misused(f"--time-zone: {error.message}") from None


def _read_entries(options: dict[str, Any]) -> list[Found]:
    try:
        return SOURCES[options["format"]](options)
    except Unclear as error:
        raise Misused(str(error)) from None
    except queues.Unreachable as error:
        raise Failed(f"Redis cannot be reached: {error}") from None


def _of_crontab(options: dict[str, Any]) -> list[Found]:
    system = options["system"] or options["file"].startswith("/etc/")
    return crontab.read(_text(options["file"]), system=system, **_common(options))


def _common(options: dict[str, Any]) -> dict[str, Any]:
    zone = options["time_zone"] or django_settings.TIME_ZONE
    return {"time_zone": zone, "prefix": options["prefix"], "queue": options["queue"]}


def _renamed(options: dict[str, Any]) -> dict[str, str]:
    pairs = [text.partition("=") for text in options["map"]]
    for old, _, name in pairs:
        if not old or not name:
            raise Misused(f"--map {old!r} names no job type; give it as OLD=NAME")
        if name not in registry:
            raise Misused(f"--map names {name!r}, which is no job type; there are {', '.join(registry.names())}")
    return {old: name for old, _, name in pairs}


def _of_rq_cron(options: dict[str, Any]) -> list[Found]:
    named = {"prefix": options["prefix"], "queue": options["queue"]}
    return rqschedules.read_cron(options["file"], _renamed(options), **named)


SOURCES: dict[str, Callable[[dict[str, Any]], list[Found]]] = {
    "crontab": _of_crontab,
    "celery-beat": lambda options: celerybeat.read(_renamed(options), **_common(options)),
    "rq-scheduler": lambda options: rqschedules.read_scheduler(_renamed(options), **_common(options)),
    "rq-cron": _of_rq_cron,
    "django-q2": lambda options: djangoq.read(_renamed(options), **_common(options)),
}
WITH_FILE = {"crontab", "rq-cron"}


def _text(file: str) -> str:
    try:
        text = sys.stdin.read(LARGEST) if file == "-" else _read(Path(file))
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{file} cannot be read: {error}") from None
    return text


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as opened:
        return opened.read(LARGEST)


def _write(command: BaseCommand, entry: Found) -> None:
    if entry.problem:
        command.stdout.write(f"{command.style.ERROR('not carried over')}  {entry.place}: {entry.text}")
        command.stdout.write(f"        → {entry.problem}")
        return
    terms = entry.terms
    what = f"{terms['cron']} ({terms['time_zone']}) runs {_call(entry)}"
    command.stdout.write(f"{command.style.SUCCESS(entry.id)}  {entry.place}: {what}")
    for note in entry.notes:
        command.stdout.write(f"        · {note}")


def _call(entry: Found) -> str:
    terms = entry.terms
    if entry.job_type == JOB_TYPE:
        return " ".join(terms["args"])
    return as_python(_type_of(entry), terms["args"], terms.get("kwargs", {}))


def _type_of(entry: Found) -> str:
    return str(getattr(entry.job_type, "name", entry.job_type))


def _facts(entry: Found) -> dict[str, Any]:
    facts = {"place": entry.place, "text": entry.text, "problem": entry.problem}
    if entry.problem:
        return facts
    return facts | {"id": entry.id, "job_type": _type_of(entry), "notes": entry.notes, **entry.terms}
