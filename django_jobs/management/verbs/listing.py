"""``jobs list``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...models import Job
from .. import selection
from ..inputs import whole
from ..output import facts, moment, span, write_list

HELP = "list jobs, the newest first"
HEADER = ("id", "state", "type", "queue", "priority", "created", "took", "call or reason")


def add_arguments(parser: CommandParser) -> None:
    selection.add_options(parser)
    limit = whole("number of jobs")
    parser.add_argument("--limit", type=limit, default=20, metavar="N", help="at most so many (default 20)")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    jobs = list(selection.chosen(options)[: options["limit"]])
    rows = (_row(job) for job in jobs)
    write_list(command, options, HEADER, rows, [facts(job) for job in jobs], "No jobs match.")


def _row(job: Job) -> tuple[object, ...]:
    told = job.state_reason or job.call
    created, took = moment(job.created_at), span(job.duration)
    return job.pk, job.state, job.job_type, job.queue, job.priority, created, took, told[:200]
