"""``jobs show``."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import monitoring, relations
from ...models import Job, JobState
from ..output import facts, find, moment, span, write_json
from ..tables import paint, visible
from . import console

HELP = "show a job: its call, its history with times, its result or traceback"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=int, help="number of the job")
    parser.add_argument("--console", action="store_true", help="show what it said while it ran, too")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    job = find(options["id"])
    history = job.history()
    if options["json"]:
        said = console.facts(job) if options["console"] else {}
        write_json(command, {**facts(job), "call": job.call, "history": [_entry(entry) for entry in history], **said})
        return
    command.stdout.write(f"Job {job.pk}  {job.job_type}  {paint(command, job.state)(job.state)}\n\n")
    for name, value in _lines(job).items():
        if value:
            command.stdout.write(f"{name:10}  {visible(value)}")
    _write_history(command, history)
    if text := _traceback(job, history):
        command.stdout.write("\n" + visible(text, "\n\t"))
    if options["console"]:
        command.stdout.write("\nConsole")
        console.write(command, job)


def _lines(job: Job) -> dict[str, str]:
    priority = f", priority {job.priority}" if job.priority else ""
    by = f" by {job.created_by_name}" if job.created_by_name else ""
    took = f" (took {span(job.duration)})" if job.duration is not None else ""
    return {
        "call": job.call,
        "queue": job.queue + priority,
        "tags": ", ".join(job.tags),
        "created": moment(job.created_at) + by,
        "scheduled": moment(job.scheduled_at),
        "expires": moment(job.start_before),
        "started": moment(job.started_at),
        "finished": moment(job.finished_at) + took if job.finished_at else "",
        "worker": job.worker,
        "batch": f"#{job.batch_id}" if job.batch_id else "",
        "after": _named(relations.parents(job)),
        "before": _named(relations.children(job)),
        "asked": pending.value if (pending := monitoring.pending(job)) else "",
        "checkpoint": moment(point.made_at) if (point := monitoring.checkpoint(job)) else "",
        "run": str(job.run or ""),
        "metadata": json.dumps(kept, ensure_ascii=False) if (kept := monitoring.metadata(job.pk)) else "",
        "result": "" if job.result is None else json.dumps(job.result, ensure_ascii=False),
    }


def _named(links: list[relations.Link]) -> str:
    """Relatives in one line: "#5 succeeded, batch #3 started (any)"."""
    names = []
    for link in links:
        known = link.job or link.batch
        name = f"{'batch ' if link.batch else ''}#{known.pk} {known.state}" if known else "(no longer stored)"
        names.append(name if link.on == "succeeded" else f"{name} ({link.on})")
    return ", ".join(names) + (", …" if len(links) == relations.SHOWN else "")


def _traceback(job: Job, history: list[JobState]) -> str:
    """That of the last failure, where the job is Failed or waits for its next attempt."""
    failures = [entry for entry in history if entry.name == "failed"]
    if not failures or job.state not in ("failed", "scheduled"):
        return ""
    return str(failures[-1].data.get("traceback", ""))


def _write_history(command: BaseCommand, history: list[JobState]) -> None:
    command.stdout.write("\nHistory")
    before = history[0].created_at
    for entry in history:
        name = paint(command, entry.name)(f"{entry.name:10}")
        after = f"+{span(entry.created_at - before)}"
        told = visible(entry.reason or entry.data.get("worker", ""))
        command.stdout.write(f"  {moment(entry.created_at)}  {after:>12}  {name}  {told}".rstrip())
        before = entry.created_at


def _entry(entry: JobState) -> dict[str, Any]:
    return {
        "state": entry.name,
        "at": entry.created_at,
        "reason": entry.reason,
        "run": entry.run,
        "data": entry.data,
    }
