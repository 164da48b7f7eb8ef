"""``jobs cancel``, ``pause``, ``resume``, ``requeue``, ``retry`` and ``delete``: they differ only in the verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db.models import QuerySet

from ... import client, states
from ...models import Job
from ...policies.unique import rival
from .. import selection
from ..exits import Failed, Misused, NothingFound
from ..output import find, write_done

PAGE = 1000


class Act:
    """A verb of `states.VERBS` on jobs that are named by their ids, or chosen by options."""

    def __init__(self, name: str, done: str, meaning: str, *, only: frozenset[str] | None = None, **flags: str) -> None:
        self.name = name
        self.done = done
        self.HELP = meaning
        self.only = only
        self.flags = flags
        self.sources = only or states.VERBS[name].sources

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, metavar="ID", help="ids of the jobs; or choose them by options")
        selection.add_options(parser)
        parser.add_argument("--dry-run", action="store_true", help="only tell how many jobs that would be")
        for flag, meaning in self.flags.items():
            parser.add_argument(f"--{flag.replace('_', '-')}", action="store_true", help=meaning)
        parser.add_argument("--json", action="store_true", help="write JSON")

    def run(self, command: BaseCommand, options: dict[str, Any]) -> None:
        if bool(options["ids"]) is selection.given(options):
            raise Misused("Name jobs by their ids, or choose them by --state, --type, --queue and the like; not both")
        if options["ids"]:
            self._named(command, options)
        else:
            self._chosen(command, options)

    def _named(self, command: BaseCommand, options: dict[str, Any]) -> None:
        jobs = [find(job_id) for job_id in dict.fromkeys(options["ids"])]
        able = [job.pk for job in jobs if job.state in self.sources]
        moved = able if options["dry_run"] else self._move([job.pk for job in jobs], options)
        left = [job for job in jobs if job.pk not in set(moved)]
        self._tell(command, options, moved, len(jobs), left=[{"id": job.pk, "state": job.state} for job in left])
        if left:
            named = ", ".join(map(str, left))
            raise Failed(f"Not {self.done}: {named}; that is possible from {self._possible()}{_rivals(left)}")

    def _chosen(self, command: BaseCommand, options: dict[str, Any]) -> None:
        if wrong := sorted(set(options["state"] or ()) - self.sources):
            raise Misused(
                f"--state: {', '.join(wrong)} jobs cannot be {self.done}; that is possible from {self._possible()}"
            )
        jobs = selection.chosen(options).filter(state__in=self.sources)
        if options["dry_run"]:
            asked = jobs.order_by().count()
            write_done(command, options, f"{asked:,} job(s) would be {self.done}", would=asked)
        else:
            asked = self._move_all(command, options, jobs)
        if not asked:
            raise NothingFound("No jobs match.")

    def _move_all(self, command: BaseCommand, options: dict[str, Any], jobs: QuerySet[Job]) -> int:
        """Returns how many were to move."""
        asked: list[int] = []
        moved: list[int] = []
        for ids in _pages(jobs):
            asked += ids
            moved += self._move(ids, options)
        self._tell(command, options, moved, len(asked))
        return len(asked)

    def _move(self, ids: list[int], options: dict[str, Any]) -> list[int]:
        flags = {flag: options[flag] for flag in self.flags}
        if self.only is not None:
            flags["expected"] = self.only
        moved: list[int] = client.verb(self.name)(ids, **flags)
        return moved

    def _tell(self, command: BaseCommand, options: dict[str, Any], moved: list[int], asked: int, **more: Any) -> None:
        would = " would be" if options["dry_run"] else ""
        write_done(
            command, options, f"{len(moved):,} of {asked:,} job(s){would} {self.done}", asked=asked, moved=moved, **more
        )

    def _possible(self) -> str:
        return ", ".join(sorted(self.sources))


def _pages(jobs: QuerySet[Job]) -> Iterator[list[int]]:
    """Their ids, the oldest first, page by page; of what comes later, none."""
    last = jobs.order_by("-pk").values_list("pk", flat=True).first()
    done = 0
    while last is not None and (
        ids := list(jobs.filter(pk__gt=done, pk__lte=last).order_by("pk").values_list("pk", flat=True)[:PAGE])
    ):
        yield ids
        done = ids[-1]


def _rivals(left: list[Job]) -> str:
    """Which jobs hold the unique keys of those that did not move."""
    held = {job.pk: rival(job) for job in left}
    return "".join(f"; job {holder} has the unique key of job {pk}" for pk, holder in held.items() if holder)


cancel = Act(
    "cancel",
    "cancelled",
    "move jobs that wait or run to Deleted; the result of a running one is dropped",
    force="end the worker process of a job that runs and does not listen",
)
pause = Act("pause", "paused, or asked to", "pause waiting jobs at once, running ones at their next checkpoint")
resume = Act("resume", "resumed", "let paused jobs go on from their last checkpoint")
requeue = Act(
    "requeue",
    "requeued",
    "run jobs again, or at once if they were scheduled; retries are counted anew",
    from_checkpoint="go on from their last checkpoint instead of the beginning",
)
retry = Act(
    "requeue",
    "retried",
    "run failed jobs again, and no others; retries are counted anew",
    only=frozenset({states.FAILED}),
    from_checkpoint="go on from their last checkpoint instead of the beginning",
)
delete = Act("delete", "deleted", "move jobs to Deleted, whatever their state")
