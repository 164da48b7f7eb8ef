"""How commands write: lists and texts for people, JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.timezone import localtime

from .. import monitoring
from ..models import Job
from .exits import Failed, NothingFound
from .tables import write_table

Header = Sequence[str]


def find(job_id: int) -> Job:
    """The job; raises Failed when there is none."""
    try:
        return monitoring.get(job_id)
    except (Job.DoesNotExist, OverflowError):
        raise Failed(f"There is no job {job_id}") from None


def facts(job: Job) -> dict[str, Any]:
    """What scripts get to read of a job."""
    return {
        "id": job.pk,
        "job_type": job.job_type,
        "args": job.args,
        "kwargs": job.kwargs,
        "queue": job.queue,
        "priority": job.priority,
        "state": job.state,
        "state_at": job.state_at,
        "reason": job.state_reason,
        "asked": job.asked,
        "run": job.run,
        "result": job.result,
        "tags": job.tags,
        "worker": job.worker,
        "created_by": job.created_by_name,
        "created_at": job.created_at,
        "scheduled_at": job.scheduled_at,
        "start_before": job.start_before,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": seconds(job.duration),
    }


def seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 6)


def write_json(command: BaseCommand, value: Any) -> None:
    command.stdout.write(json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))


def moment(at: datetime | None) -> str:
    """A time in the current time zone, to the second."""
    return f"{localtime(at):%Y-%m-%d %H:%M:%S}" if at else ""


def span(length: timedelta | None) -> str:
    """A duration to three digits; from a minute on as hours, minutes and seconds."""
    if length is None:
        return ""
    total = max(0.0, length.total_seconds())
    if total < 1:
        return f"{total * 1000:.3g} ms"
    return f"{total:.3g} s" if total < 60 else str(timedelta(seconds=round(total)))


def write_list(
    command: BaseCommand,
    options: dict[str, Any],
    header: Header,
    rows: Iterable[Sequence[object]],
    facts: Any,
    empty: str,
) -> None:
    """The rows as a table, or the facts as JSON; an empty list is written, too, and raises NothingFound."""
    if options["json"]:
        write_json(command, facts)
    elif facts:
        write_table(command, header, list(rows))
    if not facts:
        raise NothingFound(empty)


def write_done(command: BaseCommand, options: dict[str, Any], text: str, **told: Any) -> None:
    """What was done: in words, or as JSON."""
    if options["json"]:
        write_json(command, told)
    else:
        command.stdout.write(text)
