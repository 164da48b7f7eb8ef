"""``jobs batches``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import relations
from ...models import Batch
from ...policies.batches import Progress
from ..exits import Failed, Misused
from ..inputs import whole
from ..output import moment, write_done, write_list

HELP = "list batches with their progress, newest first, or cancel one"
HEADER = ("id", "state", "done", "failed", "deleted", "total", "%", "created", "by", "description")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("order", nargs="?", choices=["cancel"], help="what is to be done with one")
    parser.add_argument("id", nargs="?", type=int, metavar="ID", help="number of the batch")
    parser.add_argument(
        "--limit", type=whole("number of batches"), default=20, metavar="N", help="at most so many (default 20)"
    )
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if options["order"]:
        _cancel(command, options)
        return
    rows = list(relations.batches()[: options["limit"]])
    sums = relations.progress([batch.pk for batch in rows])
    lines = (_line(batch, sums[batch.pk]) for batch in rows)
    write_list(
        command, options, HEADER, lines, [facts(batch, sums[batch.pk]) for batch in rows], "There are no batches."
    )


def _cancel(command: BaseCommand, options: dict[str, Any]) -> None:
    number = options["id"]
    if number is None:
        raise Misused("jobs batches cancel takes the number of a batch")
    batch = relations.batches().filter(pk=number).first()
    if batch is None:
        raise Failed(f"There is no batch {number}")
    if not batch.cancel():
        raise Failed(f"Not cancelled: batch {batch.pk} has ended, or was cancelled before")
    told = f"Batch {batch.pk} is cancelled: nothing of it starts any more"
    write_done(command, options, told, batch=batch.pk, cancelled=True)


def _line(batch: Batch, now: Progress) -> tuple[object, ...]:
    state = "cancelled" if batch.cancelled_at else batch.state
    numbers = (now.done, now.failed, now.deleted, now.total, now.percent)
    return (batch.pk, state, *numbers, moment(batch.created_at), batch.created_by_name, batch.description)


def facts(batch: Batch, now: Progress) -> dict[str, Any]:
    """What scripts get to read of a batch."""
    names = ("id", "description", "state", "state_at", "created_at", "finished_at", "cancelled_at", "cancelled_by")
    return {
        **{name: getattr(batch, name) for name in names},
        "created_by": batch.created_by_name,
        "parent": batch.parent_id,
        "progress": {**now._asdict(), "ended": now.ended, "open": now.open, "percent": now.percent},
    }
