"""A job as JSON, as its page shows it to the same reader: masked, and without payload where he may not see that."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..again import origin
from ..kinship import Edge
from ..models import JobState
from .jobpage import JobPage

PLAIN = ("id", "job_type", "queue", "priority", "state", "run", "failures", "deaths", "worker", "asked", "tags")
TIMES = ("created_at", "state_at", "scheduled_at", "start_before", "started_at", "finished_at", "expires_at")


def as_json(page: JobPage) -> dict[str, Any]:
    """Everything of it; what the reader may not see is null. `earlier` says that the history begins before."""
    job = page.job
    return {
        **{name: getattr(job, name) for name in PLAIN},
        "reason": page.reason,
        "created_by": job.created_by_name,
        "again_of": origin(job),
        "recurring_job": job.recurring_job_id,
        "batch": job.batch_id,
        **{name: _moment(getattr(job, name)) for name in TIMES},
        **_payload(page),
        "progress": [
            {"name": bar.name, "run": bar.run, "value": bar.value, "total": bar.total} for bar, _ in page.said.bars
        ],
        "history": [_entry(page, entry) for entry in page.past.entries],
        "earlier": page.past.earlier is not None,
        "waits_for": [_edge(edge, edge.before) for edge in page.kin.edges if _waits(edge) and edge.after == job.pk],
        "followed_by": [_edge(edge, edge.after) for edge in page.kin.edges if _waits(edge) and edge.before == job.pk],
    }


def _payload(page: JobPage) -> dict[str, Any]:
    job, mask = page.job, page.mask
    if not page.payload:
        return dict.fromkeys(("call", "args", "kwargs", "headers", "result", "metadata"))
    return {
        "call": mask.call,
        "args": mask.args,
        "kwargs": mask.kwargs,
        "headers": mask.value(job.headers),
        "result": mask.value(job.result),
        "metadata": page.said.facts,
    }


def _entry(page: JobPage, entry: JobState) -> dict[str, Any]:
    return {
        "state": entry.name,
        "reason": page.told(entry),
        "at": _moment(entry.created_at),
        "run": entry.run,
        "data": page.mask.value(entry.data) if page.payload else None,
    }


def _waits(edge: Edge) -> bool:
    return edge.on != "member"


def _edge(edge: Edge, other: int) -> dict[str, Any]:
    return {"job" if other > 0 else "batch": abs(other), "on": edge.on, "met": edge.met}


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
