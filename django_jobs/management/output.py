"""How commands write: tables and texts for people, JSON for scripts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.timezone import localtime

from .. import monitoring, states
from ..models import Job
from ..monitoring import Count

GAP = "  "


def find(job_id: int) -> Job:
    """The job; raises CommandError when there is none."""
    try:
        return monitoring.get(job_id)
    except (Job.DoesNotExist, OverflowError):
        raise CommandError(f"There is no job {job_id}") from None


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


def paint(command: BaseCommand, state: str) -> Callable[[str], str]:
    """The colour of a state."""
    styles = {
        states.SUCCEEDED: command.style.SUCCESS,
        states.FAILED: command.style.ERROR,
        states.DELETED: command.style.NOTICE,
        states.PROCESSING: command.style.WARNING,
    }
    return styles.get(state, str)


def write_table(command: BaseCommand, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns, numbers to the right; on a terminal the last column is cut to what fits."""
    texts = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *texts, strict=True)]
    numeric = [bool(rows) and all(isinstance(row[at], int | Count) for row in rows) for at in range(len(header))]
    command.stdout.write(command.style.MIGRATE_HEADING(_aligned(header, widths, numeric, None)))
    for row in texts:
        command.stdout.write(_coloured(command, _aligned(row, widths, numeric, _width(command)), row))


def _one_line(cell: object) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _aligned(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], width: int | None) -> str:
    padded = [f"{cell:{'>' if right else '<'}{size}}" for cell, size, right in zip(cells, widths, numeric, strict=True)]
    line = GAP.join(padded).rstrip()
    return line if width is None or len(line) <= width else line[: width - 1] + "…"


def _width(command: BaseCommand) -> int | None:
    return shutil.get_terminal_size().columns if command.stdout.isatty() else None


def _coloured(command: BaseCommand, line: str, cells: Sequence[str]) -> str:
    """The line with the first cell that is a state's name in that state's colour."""
    state = next((cell for cell in cells if cell in states.ALL), None)
    return line if state is None else line.replace(state, paint(command, state)(state), 1)
