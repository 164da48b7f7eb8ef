"""``jobs enqueue``."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import client, states
from ...creation import Options
from ...exceptions import InvalidJob, StillRunning
from ...models import Job
from ..exits import Exit, Failed
from ..inputs import json_object, json_value, moment, seconds
from ..output import facts, span, write_json

HELP = "enqueue a job and write its number"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("type", metavar="TYPE", help="name of the job type")
    parser.add_argument("values", type=json_value, nargs="*", metavar="VALUE", help="its arguments, each as JSON")
    parser.add_argument(
        "--kwargs", type=json_object, default={}, metavar="JSON", help="arguments by name, as an object"
    )
    parser.add_argument("--queue", metavar="QUEUE", help="instead of the job type's queue")
    parser.add_argument("--priority", type=int, metavar="N", help="from -100 to 100, higher first")
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--in", type=float, dest="delay", metavar="SECONDS", help="run it so much later")
    when.add_argument("--at", type=moment, metavar="TIME", help="run it then; ISO 8601, by default in TIME_ZONE")
    parser.add_argument(
        "--wait",
        type=seconds,
        metavar="SECONDS",
        help="wait for its end: exit status 0 if it succeeded, 1 if it failed or was deleted, 3 if it has not ended",
    )
    parser.add_argument("--json", action="store_true", help="write the job as JSON instead of its number")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    job = _enqueued(options)
    if not options["json"]:
        command.stdout.write(str(job.pk))
        command.stdout.flush()
    late = None
    if options["wait"] is not None:
        job, late = _waited(job, options["wait"])
    if options["json"]:
        write_json(command, facts(job))
    if late is not None:
        raise late
    if options["wait"] is not None:
        _tell_end(command, job, silent=options["json"])


def _enqueued(options: dict[str, Any]) -> Job:
    call = Options(
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


def _waited(job: Job, seconds: float) -> tuple[Job, Failed | None]:
    """The job as it is then, and what to say if it has not ended."""
    try:
        return job.wait(seconds), None
    except StillRunning as error:
        job.refresh_from_db()
        return job, Failed(str(error), Exit.STILL_RUNNING)


def _tell_end(command: BaseCommand, job: Job, *, silent: bool) -> None:
    if job.state != states.SUCCEEDED:
        raise Failed(f"Job {job.pk} {job.state}: {job.state_reason}")
    if not silent:
        result = "" if job.result is None else f": {json.dumps(job.result, ensure_ascii=False)}"
        command.stderr.write(f"succeeded in {span(job.duration)}{result}", command.style.SUCCESS)
