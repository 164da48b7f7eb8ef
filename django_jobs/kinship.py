"""The graph around a job or a batch: who waits for whom, how many there are, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import connections
from django.db.models import Q

from .conf import settings
from .models import Batch, Job, JobDependency
from .monitoring import Count, jobs
from .relations import batches
from .states.statements import TABLES

SHOWN = 200
"""Most nodes of a graph; the nearest ones."""
COUNTED = 2_000
"""How many nodes are looked for, to say how many are missing."""
EDGES = 2_000
SEEN = ("args", "kwargs", "result", "tags", "headers")
"""Columns of jobs that no graph needs."""

# UNION leaves out what was found before, so the walk ends, and each round is one step further away.
NEAR = """
    WITH RECURSIVE near (node) AS (
        SELECT id FROM {job} WHERE id = %s
        UNION
        SELECT -id FROM {batch} WHERE id = %s
        UNION
        SELECT CASE WHEN d.child_id = near.node THEN COALESCE(d.parent_id, -d.batch_id) ELSE d.child_id END
        FROM near JOIN {dependency} d
            ON d.child_id = near.node OR d.parent_id = near.node OR d.batch_id = -near.node
    )
    SELECT node FROM near LIMIT %s""".format(**TABLES)


class Edge(NamedTuple):
    """`after` starts when `before` has ended. Nodes are ids of jobs, and of batches with a minus sign."""

    before: int
    after: int
    on: str
    """How it must have ended: "succeeded", "any" or "deleted"; "member" where the job belongs to the batch."""
    met: bool | None


@dataclass(frozen=True)
class Kin:
    """A job or batch with all around it, the nearest first; a node that is no longer stored has no row."""

    centre: int
    nodes: list[int]
    jobs: dict[int, Job]
    batches: dict[int, Batch]
    edges: list[Edge]
    more: Count = field(default_factory=lambda: Count(0))
    """How many others there are."""

    @property
    def is_alone(self) -> bool:
        return len(self.nodes) == 1 and not self.more.number


def around_job(job: Job) -> Kin:
    """All that the job waits for and that waits for it, however far, and its batch with what waits for that."""
    found = _near(job.pk, job.batch_id)
    return _kin(job.pk, found[:SHOWN], Count(max(0, len(found) - SHOWN), len(found) >= COUNTED))


def around_batch(batch: Batch, *, members: bool) -> Kin:
    """The batch with its whole, its parts, its first members, and the jobs that wait for it."""
    around = [node for node in _near(None, batch.pk) if members or node < 0]
    parts = [-pk for pk in batches().filter(parent=batch.pk).order_by("pk").values_list("pk", flat=True)[:COUNTED]]
    whole = [-batch.parent_id] if batch.parent_id else []
    found = list(dict.fromkeys([-batch.pk, *whole, *around, *parts]))
    theirs = jobs().filter(batch=batch.pk).order_by("pk") if members else jobs().none()
    inside = list(theirs.values_list("pk", flat=True)[:COUNTED])
    nodes = list(dict.fromkeys([*found[: SHOWN // 2], *inside, *found[SHOWN // 2 :]]))
    return _kin(-batch.pk, nodes[:SHOWN], Count(max(0, len(nodes) - SHOWN), len(nodes) >= COUNTED))


def _near(job: int | None, batch: int | None) -> list[int]:
    with connections[settings.DATABASE].cursor() as cursor:
        cursor.execute(NEAR, [job or 0, batch or 0, COUNTED])
        return [node for (node,) in cursor.fetchall()]


def _kin(centre: int, nodes: list[int], more: Count) -> Kin:
    ids, wholes = {node for node in nodes if node > 0}, {-node for node in nodes if node < 0}
    rows = {job.pk: job for job in jobs().filter(pk__in=ids).defer(*SEEN)} if ids else {}
    found = batches().in_bulk(list(wholes)) if wholes else {}
    return Kin(centre, nodes, rows, found, [*_waits(ids, wholes), *_memberships(rows.values(), found)], more)


def _waits(ids: Collection[int], wholes: Collection[int]) -> list[Edge]:
    edges = JobDependency.objects.using(settings.DATABASE).filter(child__in=ids)
    rows = edges.filter(Q(parent__in=ids) | Q(batch__in=wholes)).order_by("id")
    told = rows.values_list("parent_id", "batch_id", "child_id", "on", "met")[:EDGES]
    return [Edge(parent or -batch, child, on, met) for parent, batch, child, on, met in told]


def _memberships(rows: Iterable[Job], found: dict[int, Batch]) -> list[Edge]:
    """Edges from members to their batch, and from batches to those that they are part of."""
    jobs = [Edge(job.pk, -job.batch_id, "member", None) for job in rows if job.batch_id in found]
    parts = [Edge(-batch.pk, -batch.parent_id, "member", None) for batch in found.values() if batch.parent_id in found]
    return jobs + parts
