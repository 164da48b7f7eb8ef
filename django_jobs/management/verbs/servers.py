"""``jobs servers``: see them, quiet them, stop them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import clock, monitoring
from ...models import Server
from ...steering import direct
from ..output import span, write_json, write_table

HELP = "list servers with their processes, or ask one to take no new jobs, to work again, or to stop"
ORDERS = {"quiet": "quiet", "resume": "", "stop": "stop"}


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "order", nargs="?", choices=list(ORDERS), help="what the server is to do; it looks every second"
    )
    parser.add_argument("name", nargs="?", help='name of the server; "all" for every one that is alive')
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["order"]:
        _order(command, options["order"], options["name"])
        return
    rows = [row for server in monitoring.servers() for row in (server, *server.children.all())]
    if options["json"]:
        write_json(command, [_facts(row) for row in rows])
    elif rows:
        header = ("name", "kind", "alive", "asked to", "pid", "busy", "memory MB", "CPU %", "heartbeat", "queues")
        write_table(command, header, [_line(row) for row in rows])
    else:
        command.stdout.write("No server runs: start one with `manage.py runjobs`.")


def _order(command: BaseCommand, order: str, name: str | None) -> None:
    living = {server.name: server.pk for server in monitoring.live_servers()}
    if name is None or (name != "all" and name not in living):
        known = ", ".join(living) or "none"
        raise CommandError(f"jobs servers {order} takes the name of a server that is alive, or all; alive: {known}")
    asked = direct(living.values() if name == "all" else [living[name]], ORDERS[order])
    command.stdout.write(f"Asked {asked} server(s) to {order}")


def _line(row: Server) -> tuple[object, ...]:
    name = row.name if row.parent_id is None else f"  {row.name}"
    facts = (name, row.get_kind_display(), "yes" if monitoring.is_alive(row) else "no", row.wanted, row.pid, row.busy)
    used = (row.memory // 2**20, round(row.cpu))
    return (*facts, *used, f"{span(clock.now() - row.heartbeat_at)} ago", ", ".join(row.queues))


def _facts(row: Server) -> dict[str, Any]:
    names = ("name", "kind", "host", "pid", "version", "queues", "slots", "busy", "memory", "cpu", "wanted")
    facts = {name: getattr(row, name) for name in names}
    times = {"started_at": row.started_at, "heartbeat_at": row.heartbeat_at}
    return facts | times | {"alive": monitoring.is_alive(row), "parent": row.parent.name if row.parent else None}
