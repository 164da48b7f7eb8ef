"""``jobs queues``: see them, pause, resume and purge them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import clock, monitoring, steering
from ...exceptions import JobsError
from ..output import span, write_json, write_table

HELP = "list queues with what waits in them, or pause, resume or purge one"
ORDERS = ("pause", "resume", "purge")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("order", nargs="?", choices=ORDERS, help="purge deletes every job that waits in the queue")
    parser.add_argument("name", nargs="?", help="name of the queue")
    parser.add_argument("--for", type=float, dest="seconds", metavar="S", help="pause for so many seconds")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["order"]:
        _obey(command, options["order"], options["name"], options["seconds"])
        return
    waits = monitoring.queue_waits()
    if options["json"]:
        write_json(command, {name: {**facts, "waiting": facts["waiting"].number} for name, facts in waits.items()})
    else:
        header = ("queue", "waiting", "oldest for", "servers", "paused")
        write_table(command, header, [_line(name, facts) for name, facts in waits.items()])


def _line(name: str, facts: dict[str, Any]) -> tuple[object, ...]:
    waited = span(clock.now() - facts["oldest"]) if facts["oldest"] else ""
    return name, facts["waiting"], waited, facts["servers"], "paused" if facts["paused"] else ""


def _obey(command: BaseCommand, order: str, name: str | None, seconds: float | None) -> None:
    if name is None:
        raise CommandError(f"jobs queues {order} takes the name of a queue")
    try:
        if order == "pause":
            steering.pause_queue(name, until=None if seconds is None else timedelta(seconds=seconds))
            command.stdout.write(f"Queue {name} is paused{'' if seconds is None else f' for {seconds:g} s'}")
        elif order == "resume":
            steering.resume_queue(name)
            command.stdout.write(f"Queue {name} goes on")
        else:
            command.stdout.write(f"Deleted {steering.purge_queue(name):,} job(s) that waited in queue {name}")
    except JobsError as error:
        raise CommandError(str(error)) from None
