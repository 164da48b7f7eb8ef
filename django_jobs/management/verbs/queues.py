"""``jobs queues``: see them, pause, resume and purge them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import clock, monitoring, queues, steering
from ...policies.ceilings import queue_limits
from ..exits import Misused
from ..inputs import interval, whole
from ..output import span, write_done, write_list

HELP = "list queues with what waits in them, or pause, resume, purge or limit one"
HEADER = ("queue", "waiting", "oldest for", "servers", "paused", "limits")
ORDERS = ("pause", "resume", "purge", "limit")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("order", nargs="?", choices=ORDERS, help="purge deletes every job that waits in the queue")
    parser.add_argument("name", nargs="?", metavar="QUEUE", help="name of the queue")
    parser.add_argument("--for", type=interval, dest="seconds", metavar="S", help="pause for so many seconds")
    parser.add_argument(
        "--max-concurrency",
        type=whole("number of jobs", 1),
        metavar="N",
        help="limit: most jobs at once, over all servers",
    )
    parser.add_argument("--rate-limit", metavar="RATE", help='limit: most starts within a time, as in "10/m"')
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["order"]:
        _obey(command, options)
        return
    limits = queue_limits(queues.names())
    waits = {name: {**facts, "limits": str(limits[name])} for name, facts in monitoring.queue_waits().items()}
    told = {name: {**facts, "waiting": facts["waiting"].number} for name, facts in waits.items()}
    lines = (_line(name, facts) for name, facts in waits.items())
    write_list(command, options, HEADER, lines, told, "There are no queues: the setting RQ_QUEUES is empty.")


def _line(name: str, facts: dict[str, Any]) -> tuple[object, ...]:
    waited = span(clock.now() - facts["oldest"]) if facts["oldest"] else ""
    return name, facts["waiting"], waited, facts["servers"], "paused" if facts["paused"] else "", facts["limits"]


def _obey(command: BaseCommand, options: dict[str, Any]) -> None:
    order, name = options["order"], options["name"]
    if name is None:
        raise Misused(f"jobs queues {order} takes the name of a queue")
    given = {option for options_ in TERMS.values() for option in options_ if options[option] is not None}
    if strange := sorted(given - set(TERMS.get(order, ()))):
        raise Misused(f"jobs queues {order} does not take --{strange[0].replace('_', '-').replace('seconds', 'for')}")
    told, facts = DO[order](name, options)
    write_done(command, options, told, queue=name, **facts)


def _pause(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    seconds = options["seconds"]
    steering.pause_queue(name, until=None if seconds is None else timedelta(seconds=seconds))
    return f"Queue {name} is paused{'' if seconds is None else f' for {seconds:g} s'}", {"paused": True}


def _resume(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    steering.resume_queue(name)
    return f"Queue {name} goes on", {"paused": False}


def _purge(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    deleted = steering.purge_queue(name)
    return f"Deleted {deleted:,} job(s) that waited in queue {name}", {"deleted": deleted}


def _limit(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    steering.limit_queue(name, max_concurrency=options["max_concurrency"], rate_limit=options["rate_limit"])
    limits = str(queue_limits([name])[name])
    return f"Queue {name}: {limits or 'no limits'}", {"limits": limits}


DO = {"pause": _pause, "resume": _resume, "purge": _purge, "limit": _limit}
TERMS = {"pause": ("seconds",), "limit": ("max_concurrency", "rate_limit")}
"""The options that an order takes."""
