"""``jobs list``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import monitoring, states
from ...models import Job
from ..output import facts, moment, span, write_json, write_table

HELP = "list jobs, the newest first"
HEADER = ("id", "state", "type", "queue", "priority", "created", "took", "call or reason")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--state", action="append", choices=states.ALL, help="only in this state; may be repeated")
    parser.add_argument("--type", help="only of this job type")
    parser.add_argument("--queue", help="only of this queue")
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (default 20)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    jobs = found(options)
    if options["json"]:
        write_json(command, [facts(job) for job in jobs])
    elif jobs:
        write_table(command, HEADER, [_row(job) for job in jobs])
    else:
        command.stderr.write("No jobs match.")


def found(options: dict[str, Any]) -> list[Job]:
    names = {"state__in": "state", "job_type": "type", "queue": "queue"}
    wanted = {column: options[name] for column, name in names.items() if options[name]}
    return list(monitoring.jobs().filter(**wanted)[: max(0, options["limit"])])


def _row(job: Job) -> tuple[object, ...]:
    told = job.state_reason or job.call
    created, took = moment(job.created_at), span(job.duration)
    return job.pk, job.state, job.job_type, job.queue, job.priority, created, took, told[:200]
