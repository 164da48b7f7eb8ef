"""``jobs servers``: see them, quiet them, stop them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import clock, monitoring
from ...models import Server
from ...steering import direct
from ..exits import Failed, Misused
from ..output import span, write_done, write_list

HELP = "list servers with their processes, or ask one to take no new jobs, to work again, or to stop"
HEADER = ("name", "kind", "alive", "asked to", "pid", "busy", "memory MB", "CPU %", "heartbeat", "queues")
ORDERS = {"quiet": "quiet", "resume": "", "stop": "stop"}


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument(
        "order", nargs="?", choices=list(ORDERS), help="what the server is to do; it looks every second"
    )
    parser.add_argument(
        "name", nargs="?", metavar="SERVER", help='name of the server; "all" for every one that is alive'
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["order"]:
        _order(command, options)
        return
    rows = [row for server in monitoring.servers() for row in (server, *server.children.all())]
    empty = "No server runs: start one with `manage.py runjobs`."
    write_list(command, options, HEADER, (_line(row) for row in rows), [_facts(row) for row in rows], empty)


def _order(command: BaseCommand, options: dict[str, Any]) -> None:
    order, name = options["order"], options["name"]
    living = {server.name: server.pk for server in monitoring.live_servers()}
    known = ", ".join(living) or "none"
    if name is None:
        raise Misused(f"jobs servers {order} takes the name of a server that is alive, or all; alive: {known}")
    if not living or (name != "all" and name not in living):
        raise Failed(f"No server that is alive is named {name}; alive: {known}")
    asked = direct(living.values() if name == "all" else [living[name]], ORDERS[order])
    write_done(command, options, f"Asked {asked} server(s) to {order}", asked=asked, order=order)


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
