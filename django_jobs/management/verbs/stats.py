"""``jobs stats``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import clock, monitoring
from ...models import Server
from ..inputs import whole
from ..output import moment, span, write_json
from ..tables import write_table

HELP = "tell how many jobs are in each state, what waits in each queue, and which servers run"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "--hours",
        type=whole("number of hours", 1),
        default=24,
        metavar="N",
        help="hours of the throughput (default 24)",
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    hours = options["hours"]
    if options["json"]:
        write_json(command, _everything(hours))
        return
    write_table(command, ("state", "jobs"), list(monitoring.counts().items()))
    command.stdout.write("")
    write_table(command, ("queue", "waiting", "oldest for", "servers"), _queues())
    command.stdout.write("")
    _write_servers(command)
    ended = ", ".join(f"{number:,} {state}" for state, number in monitoring.throughput(hours).items())
    command.stdout.write(f"\nIn the last {hours} h: {ended}")


def _everything(hours: int) -> dict[str, Any]:
    counts = monitoring.counts()
    return {
        "states": {state: count.number for state, count in counts.items()},
        "capped": [state for state, count in counts.items() if count.capped],
        "queues": {
            name: {**facts, "waiting": facts["waiting"].number} for name, facts in monitoring.queue_waits().items()
        },
        "servers": [_facts(server) for server in monitoring.servers()],
        "throughput": {"hours": hours, **monitoring.throughput(hours)},
    }


def _queues() -> list[tuple[object, ...]]:
    now = clock.now()
    return [
        (name, facts["waiting"], span(now - facts["oldest"]) if facts["oldest"] else "", facts["servers"])
        for name, facts in monitoring.queue_waits().items()
    ]


def _write_servers(command: BaseCommand) -> None:
    header = ("server", "alive", "pid", "busy", "slots", "started", "queues")
    rows = [_row(server) for server in monitoring.servers()]
    if rows:
        write_table(command, header, rows)
    else:
        command.stdout.write(command.style.WARNING("No server runs: jobs wait until `manage.py runjobs` is started."))


def _row(server: Server) -> tuple[object, ...]:
    alive = "yes" if monitoring.is_alive(server) else "no"
    queues = ", ".join(server.queues)
    return server.name, alive, server.pid, server.busy, server.slots, moment(server.started_at), queues


def _facts(server: Server) -> dict[str, Any]:
    return {
        "name": server.name,
        "alive": monitoring.is_alive(server),
        "host": server.host,
        "pid": server.pid,
        "busy": server.busy,
        "slots": server.slots,
        "queues": server.queues,
        "started_at": server.started_at,
        "heartbeat_at": server.heartbeat_at,
    }
