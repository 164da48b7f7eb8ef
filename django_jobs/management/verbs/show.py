"""``jobs show``."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...models import Job, JobState
from ..output import facts, find, moment, paint, span, write_json

HELP = "show a job: its call, its history with times, its result or traceback"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("id", type=int, help="number of the job")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    job = find(options["id"])
    history = job.history()
    if options["json"]:
        write_json(command, {**facts(job), "call": job.call, "history": [_entry(entry) for entry in history]})
        return
    command.stdout.write(f"Job {job.pk}  {job.job_type}  {paint(command, job.state)(job.state)}\n\n")
    for name, value in _lines(job).items():
        if value:
            command.stdout.write(f"{name:10}  {value}")
    _write_history(command, history)
    if text := history[-1].data.get("traceback"):
        command.stdout.write(f"\n{text}")


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
        "run": str(job.run or ""),
        "result": "" if job.result is None else json.dumps(job.result, ensure_ascii=False),
    }


def _write_history(command: BaseCommand, history: list[JobState]) -> None:
    command.stdout.write("\nHistory")
    before = history[0].created_at
    for entry in history:
        name = paint(command, entry.name)(f"{entry.name:10}")
        after = f"+{span(entry.created_at - before)}"
        told = entry.reason or entry.data.get("worker", "")
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
