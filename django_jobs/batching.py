"""Batches: many jobs that are stored at once and looked at as one."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from asgiref.sync import sync_to_async

from . import clock, context, graph, storing
from .creation import build, resolve
from .exceptions import InvalidJob, StillStarted
from .graph import BoundCall
from .models import Batch, Job
from .policies import batches, edges
from .policies.batches import Progress
from .policies.edges import Awaited
from .states import machine
from .transactions import atomic

LOOK = 0.1
"""Seconds between two looks of `wait`."""


@dataclass(frozen=True)
class BoundBatch:
    """A batch that is not stored yet: a member of another one."""

    description: str
    members: tuple[BoundCall | BoundBatch, ...]


@dataclass(eq=False)
class _Member:
    """A job that is to be stored, its batch, and the member that it follows."""

    call: BoundCall
    batch: Batch
    follows: _Member | None
    job: Job | None = None


def bind(description: str, members: Iterable[Any]) -> BoundBatch:
    """A batch that is not stored yet, to be a member of another. Raises InvalidJob."""
    if not isinstance(description, str) or len(description) > 200 or "\0" in description:
        raise InvalidJob("description", f"is {description!r:.220}; give a text of at most 200 characters")
    return BoundBatch(description, _checked(members))


def _checked(members: Iterable[Any]) -> tuple[BoundCall | BoundBatch, ...]:
    found = tuple(members)
    for one in found:
        if not isinstance(one, BoundCall | BoundBatch):
            raise InvalidJob("members", f"has {one!r:.100}; give calls, as of task.bind(…), or Batch.bind(…)")
    return found


def start(
    description: str, members: Iterable[Any], *, created_by: Any = None, after: Any = (), on: str = "succeeded"
) -> Batch:
    """Store a batch with all its members in the caller's transaction. Raises InvalidJob; nothing is stored then.

    `after` and `on` are those of every member that follows no other.
    """
    bound = bind(description, members)
    awaited = edges.awaited(after, on)
    by = created_by
    if by is not None and not hasattr(by, "get_username"):
        raise InvalidJob("created_by", f"is {by!r:.100}; give a user, or None")
    creator = {"created_by_id": getattr(by, "pk", None), "created_by_name": by.get_username()[:150] if by else ""}
    with atomic():
        batch = _stored(bound.description, **creator)
        _store(batch, bound.members, created_by=by, awaited=awaited)
    return batch


def extend(batch: Batch, members: Iterable[Any]) -> list[Job]:
    """Store further members in the caller's transaction; a batch that had ended is open again. Returns their jobs.

    Raises InvalidJob, also for a batch that was cancelled; nothing is stored then.
    """
    checked = _checked(members)
    found = batches.batches().filter(pk=batch.pk).first()
    if found is None:
        raise InvalidJob("batch", f"#{batch.pk} is not stored (any more)")
    wholes = batches.lineage([found.pk])[found.pk]
    if cancelled := batches.cancelled_among(wholes):  # a part that had ended before is not marked itself
        raise InvalidJob("batch", f"#{max(cancelled)} was cancelled")
    with atomic():
        return _store(found, checked, wholes=wholes)


def _stored(description: str, **facts: Any) -> Batch:
    now = clock.now()
    return batches.batches().create(description=description, created_at=now, state_at=now, **facts)


def _store(
    batch: Batch,
    members: Sequence[BoundCall | BoundBatch],
    *,
    created_by: Any = None,
    awaited: Awaited | None = None,
    wholes: Collection[int] = (),
) -> list[Job]:
    """Store members and parts, generation by generation, so that a parent's id is known to its child."""
    generations: dict[int, list[_Member]] = defaultdict(list)
    tallies: dict[int, Tally[str]] = {}
    _plan(batch, members, generations, tallies)
    made: list[Job] = []
    for depth, generation in generations.items():
        drawn: list[tuple[list[Job], Awaited]] = []
        for same in _alike(generation):
            jobs, waits = _build(same, created_by, None if depth else awaited, wholes)
            drawn += [(jobs, one) for one in waits]
        jobs = [member.job for member in generation if member.job is not None]
        machine.create(jobs)
        for children, parents in drawn:
            edges.draw(children, parents)
        edges.follow(
            (member.job, member.follows.job.pk, member.call.options.on)
            for member in generation
            if member.job is not None and member.follows is not None and member.follows.job is not None
        )
        made += jobs
    batches.add(tallies)
    return made


def _plan(
    batch: Batch,
    members: Sequence[BoundCall | BoundBatch],
    generations: dict[int, list[_Member]],
    tallies: dict[int, Tally[str]],
) -> None:
    """Store the parts, and sort the calls by how many others they follow."""
    tally = tallies[batch.pk] = Tally()
    for one in members:
        if isinstance(one, BoundBatch):
            part = _stored(one.description, parent=batch, created_by_id=batch.created_by_id)
            _plan(part, one.members, generations, tallies)
            continue
        member = None
        for depth, call in enumerate([one, *one.chain]):
            member = _Member(call, batch, member)
            generations[depth].append(member)
            tally["total"] += 1


def _alike(generation: Sequence[_Member]) -> list[list[_Member]]:
    """Neighbours of one type, with the same options: they are built in one go."""
    groups = groupby(generation, key=lambda member: (member.call.job_type, id(member.call.options)))
    return [list(group) for _, group in groups]


def _build(
    members: Sequence[_Member], created_by: Any, awaited: Awaited | None, wholes: Collection[int]
) -> tuple[list[Job], list[Awaited]]:
    """The jobs of members that are alike, and what they wait for beside the members that they follow."""
    call = members[0].call
    known, name = resolve(call.job_type)
    own = edges.awaited(call.options.after, call.options.on)
    if own is not None:
        edges.refuse_cycle(own, wholes)
    waits = [one for one in (own, awaited) if one is not None]
    follows = members[0].follows is not None
    after = edges.PREDECESSOR if follows else waits[0] if waits else ()
    options = replace(call.options, after=after, created_by=call.options.created_by or created_by)
    jobs = build(known, name, [(member.call.args, member.call.kwargs) for member in members], options)
    storing.prepare_members(jobs, known, options)
    for job, member in zip(jobs, members, strict=True):
        member.job = job
        job.batch_id = member.batch.pk
        if member.follows is not None and member.follows.job is not None:
            job.state_reason = f"Waits for job #{member.follows.job.pk}"
    return jobs, waits


def progress(batch: Batch) -> Progress:
    """How many members it has, those of its parts included, and how many ended. No rows are counted."""
    return batches.progress([batch.pk])[batch.pk]


def cancel(batch: Batch, *, by: Any = None) -> bool:
    """Cancel a batch and its parts, whatever their size, at once; False when it had ended, or was cancelled before."""
    return batches.cancel(batch.pk, by.get_username() if by is not None else "")


def wait(batch: Batch, timeout: float) -> Batch:
    """The batch once it has ended; raises StillStarted, a TimeoutError, after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        found = batches.batches().get(pk=batch.pk)
        if found.state != Batch.State.STARTED:
            return found
        if time.monotonic() >= end:
            raise StillStarted(batch.pk, timeout)
        time.sleep(LOOK)


def current() -> Batch | None:
    """The batch of the job that runs in this thread or task."""
    ctx = context.current()
    return None if ctx is None or ctx.batch_id is None else batches.batches().get(pk=ctx.batch_id)


VERBS = {
    "bind_batch": bind,
    "start_batch": start,
    "astart_batch": sync_to_async(start, thread_sensitive=True),
    "extend_batch": extend,
    "aextend_batch": sync_to_async(extend, thread_sensitive=True),
    "cancel_batch": cancel,
    "acancel_batch": sync_to_async(cancel, thread_sensitive=True),
    "batch_progress": progress,
    "wait_for_batch": wait,
    "current_batch": current,
}


def verb(name: str) -> Any:
    """The function behind a verb of the models: one of these, or one below."""
    return VERBS.get(name) or graph.verb(name)
