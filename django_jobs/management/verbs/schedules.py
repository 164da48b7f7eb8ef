"""``jobs schedules``, ``jobs sync`` and ``jobs trigger``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import declared, monitoring, schedules
from ...cron import CronError
from ...models import RecurringJob
from ..exits import Failed, Misused
from ..inputs import whole
from ..output import facts, moment, write_done, write_json, write_list

HEADER = ("id", "state", "cron", "zone", "in words", "type", "next run", "last run", "last job", "what")
ORDERS: dict[str, Callable[[str], object]] = {
    "enable": schedules.enable,
    "disable": schedules.disable,
    "remove": schedules.remove,
}
DONE = {"enable": "is enabled", "disable": "is disabled", "remove": "is removed; its jobs stay"}


class Schedules:
    """List them, or enable, disable or remove one."""

    HELP = "list recurring jobs with their next and last runs, or enable, disable or remove one"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("order", nargs="?", choices=list(ORDERS), help="what is to be done with one")
        parser.add_argument("id", nargs="?", metavar="RECURRING", help="id of the recurring job")
        parser.add_argument(
            "--next", type=whole("number of runs"), default=1, metavar="N", help="so many next runs of each (default 1)"
        )
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        if options["order"]:
            _obey(command, options)
            return
        rows = list(schedules.rows())
        states = monitoring.states_of([row.last_job_id for row in rows if row.last_job_id])
        lines = (_line(row, states, options["next"]) for row in rows)
        told = [_facts(row, states, options["next"]) for row in rows]
        write_list(command, options, HEADER, lines, told, "There are no recurring jobs.")


class Sync:
    """Store the declarations of the code."""

    HELP = (
        "store the recurring jobs that the code declares, as runjobs does at its start; exit status 1 if one is wrong"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        outcome = declared.sync()
        if options["json"]:
            write_json(command, outcome.__dict__)
        else:
            command.stdout.write(f"Stored {len(outcome.stored)} recurring job(s)")
            if outcome.orphaned:
                command.stdout.write(f"No longer declared, so they stopped: {', '.join(outcome.orphaned)}")
        if outcome.refused:
            raise Failed("\n".join(f"{id}: {why}" for id, why in outcome.refused.items()))


class Trigger:
    """Enqueue a run now."""

    HELP = "enqueue a run of a recurring job now, and write the number of the job"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="RECURRING", help="id of the recurring job")
        parser.add_argument("--json", action="store_true", help="write the job as JSON instead of its number")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        job = schedules.trigger(options["id"])
        write_done(command, options, str(job.pk), **facts(job))


def _obey(command: BaseCommand, options: dict[str, Any]) -> None:
    order, id = options["order"], options["id"]
    if id is None:
        raise Misused(f"jobs schedules {order} takes the id of a recurring job")
    schedules.get(id)
    done = bool(ORDERS[order](id))
    told = f"Recurring job {id} {DONE[order]}{'' if done else ' already'}"
    write_done(command, options, told, id=id, order=order, changed=done)


def _next(row: RecurringJob, count: int) -> list[Any]:
    if row.next_run is None or count < 1:
        return []
    try:
        return row.next_runs(count)
    except CronError:
        return []


def _line(row: RecurringJob, states: dict[int, str], count: int) -> tuple[object, ...]:
    coming = ", ".join(f"{at:%Y-%m-%d %H:%M:%S %Z}" for at in _next(row, count))
    last = f"#{row.last_job_id} {states.get(row.last_job_id, 'gone')}" if row.last_job_id else ""
    what = row.error or row.description
    said = "" if row.words == row.cron else row.words
    times = (row.cron, row.time_zone, said, row.job_type, coming, moment(row.last_run))
    return (row.pk, row.status, *times, last, what)


def _facts(row: RecurringJob, states: dict[int, str], count: int) -> dict[str, Any]:
    names = (
        *("description", "job_type", "args", "kwargs", "queue", "priority", "cron", "words", "time_zone"),
        *("match_both_days", "misfire", "overlap", "jitter", "starts_at", "ends_at", "enabled", "status"),
        *("source", "application", "next_run", "last_run", "error"),
    )
    told = {"id": row.pk} | {name: getattr(row, name) for name in names}
    last = {"last_job": row.last_job_id, "last_state": states.get(row.last_job_id or 0)}
    return told | last | {"next_runs": _next(row, count), "edited": row.edited()}


listing = Schedules()
sync = Sync()
trigger = Trigger()
