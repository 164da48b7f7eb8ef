"""``jobs enqueue``."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

from ... import client, states
from ...exceptions import InvalidJob, StillRunning
from ...models import Job
from ..output import facts, span, write_json

HELP = "enqueue a job and write its number"
STILL_RUNNING = 3
"""Exit status when a job did not end while it was waited for."""


def json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is not JSON; text goes in double quotes: '{json.dumps(text)}'") from None


def json_object(text: str) -> dict[str, Any]:
    value = json_value(text)
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{text} is not a JSON object such as '{{\"name\": 1}}'")
    return value


def moment(text: str) -> datetime:
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text} is not a time in ISO 8601 form such as 2026-12-31T23:59:00+01:00")
    return make_aware(at) if is_naive(at) else at


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("type", metavar="TYPE", help="name of the job type")
    parser.add_argument("values", type=json_value, nargs="*", metavar="VALUE", help="its arguments, each as JSON")
    parser.add_argument(
        "--kwargs", type=json_object, default={}, metavar="JSON", help="arguments by name, as an object"
    )
    parser.add_argument("--queue", help="instead of the job type's queue")
    parser.add_argument("--priority", type=int, metavar="N", help="from -100 to 100, higher first")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--in", type=float, dest="delay", metavar="SECONDS", help="run it so much later")
    when.add_argument("--at", type=moment, metavar="TIME", help="run it then; ISO 8601, by default in TIME_ZONE")
    parser.add_argument(
        "--wait",
        type=float,
        metavar="SECONDS",
        help="wait for its end: exit status 0 if it succeeded, 1 if it failed or was deleted, 3 if it has not ended",
    )
    parser.add_argument("--json", action="store_true", help="write the job as JSON instead of its number")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    try:
        job = _enqueued(options)
    except InvalidJob as error:
        raise CommandError(str(error)) from error
    if not options["json"]:
        command.stdout.write(str(job.pk))
        command.stdout.flush()
    if options["wait"] is not None:
        job = _waited(job, options["wait"])
    if options["json"]:
        write_json(command, facts(job))
    if options["wait"] is not None:
        _tell_end(command, job, silent=options["json"])


def _enqueued(options: dict[str, Any]) -> Job:
    call = client.Options(
        queue=options["queue"],
        priority=options["priority"],
        run_after=options["at"] if options["delay"] is None else _later(options["delay"]),
    )
    return client.enqueue(options["type"], [(tuple(options["values"]), options["kwargs"])], call)[0]


def _later(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        raise InvalidJob("run_after", f"is {seconds:g} seconds from now, which is beyond the calendar") from None


def _waited(job: Job, seconds: float) -> Job:
    try:
        return job.wait(seconds)
    except StillRunning as error:
        raise CommandError(str(error), returncode=STILL_RUNNING) from None


def _tell_end(command: BaseCommand, job: Job, *, silent: bool) -> None:
    if job.state != states.SUCCEEDED:
        raise CommandError(f"Job {job.pk} {job.state}: {job.state_reason}")
    if not silent:
        result = "" if job.result is None else f": {json.dumps(job.result, ensure_ascii=False)}"
        command.stderr.write(f"succeeded in {span(job.duration)}{result}", command.style.SUCCESS)
