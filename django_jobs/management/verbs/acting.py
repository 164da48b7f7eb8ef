"""``jobs cancel``, ``jobs requeue`` and ``jobs delete``: one class, since they differ only in the verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import client, states
from ..output import find


class Act:
    """A verb of `states.VERBS` on jobs that are named by their ids."""

    def __init__(self, name: str, done: str, meaning: str) -> None:
        self.name = name
        self.done = done
        self.HELP = meaning

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="+", type=int, metavar="ID", help="ids of the jobs")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        jobs = [find(job_id) for job_id in options["ids"]]
        act: Callable[[list[int]], list[int]] = getattr(client, self.name)
        moved = set(act([job.pk for job in jobs]))
        command.stdout.write(f"{len(moved)} of {len(jobs)} job(s) {self.done}")
        if left := [str(job) for job in jobs if job.pk not in moved]:
            sources = ", ".join(sorted(states.VERBS[self.name].sources))
            raise CommandError(f"Not {self.done}: {', '.join(left)}; that is possible from {sources}")


cancel = Act("cancel", "cancelled", "move jobs that wait or run to Deleted; the result of a running one is dropped")
requeue = Act("requeue", "requeued", "run jobs again, or at once if they were scheduled; retries are counted anew")
delete = Act("delete", "deleted", "move jobs to Deleted, whatever their state")
