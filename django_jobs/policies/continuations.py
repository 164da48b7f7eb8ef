"""Continuations: what waited for a job or a batch starts, or is deleted, in the transaction in which that one ends.

A child is Awaiting while an edge of it is open (`met` is None). Whoever closes edges holds the children's rows locked,
so that of two parents that end at once the second sees what the first did. An edge that was stored while its parent
ended is closed by whoever stored it, after the commit (`look`); what a crash leaves open, by the leader (`catch_up`).
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet

from .. import clock, events
from ..conf import settings
from ..models import Batch, Job, JobDependency
from ..states import AWAITING, DELETED, ENQUEUED, FAILED, FINAL, PROCESSING, SCHEDULED, SUCCEEDED, asking
from ..states.filters import Change, Filter
from ..states.moves import SET_SIZE, Target, parts
from ..states.patience import patience
from ..transactions import atomic

AT_ONCE = 200
"""Most edges that are closed together with their parent's end; the leader closes the others, in sets."""
LEVELS = 20
"""Most generations that one deletion takes along at once."""

Node = tuple[str, int]
"""A parent: ("job", id) or ("batch", id)."""
ENDS = (Batch.State.SUCCEEDED, Batch.State.FINISHED)


class Edge(NamedTuple):
    id: int
    child: int
    parent: int | None
    batch: int | None
    on: str
    delay: float | None
    expires: float | None

    @property
    def node(self) -> Node:
        return ("job", self.parent) if self.parent is not None else ("batch", self.batch or 0)


EDGE = ("id", "child_id", "parent_id", "batch_id", "on", "delay", "expires")


def _open() -> QuerySet[JobDependency]:
    return JobDependency.objects.using(settings.DATABASE).filter(met=None)


class Continuations(Filter):
    """Follows jobs that end; tells those that wait for a job that failed, or that is tried again."""

    def __init__(self) -> None:
        self._local = threading.local()

    def applied(self, changes: Sequence[Change]) -> None:
        ended: dict[Node, str] = {("job", change.id): change.state for change in changes if change.state in FINAL}
        told = [change.id for change in changes if _is_told(change)]
        if told:
            tell_children(told)
        if ended:
            self._cascade(ended)

    def _cascade(self, ended: dict[Node, str]) -> None:
        """Close the edges of what has ended, and of what is deleted with it, generation by generation."""
        outer: dict[Node, str] | None = getattr(self._local, "ended", None)
        if outer is not None:
            outer.update(ended)
            return
        self._local.ended = ended
        try:
            for _ in range(LEVELS):
                generation, self._local.ended = self._local.ended, {}
                if not generation or not settle(generation):
                    break
            if self._local.ended:
                hurry()
        finally:
            del self._local.ended


def _is_told(change: Change) -> bool:
    failed = change.state == FAILED and not change.passing
    return failed or (change.was == FAILED and change.state not in FINAL)


def settle(ended: Mapping[Node, str], limit: int = AT_ONCE) -> int:
    """Close open edges of what has ended, at most `limit`; children without an open edge start, or are deleted.

    Returns how many edges it closed. It runs in the caller's transaction.
    """
    jobs = [pk for kind, pk in ended if kind == "job"]
    batches = [pk for kind, pk in ended if kind == "batch"]
    rows: list[tuple[Any, ...]] = []
    for theirs in [{"parent__in": jobs}] * bool(jobs) + [{"batch__in": batches}] * bool(batches):
        rows += _open().filter(**theirs).values_list(*EDGE)[: limit + 1 - len(rows)]
    edges = [Edge(*row) for row in rows]
    if len(edges) > limit:
        edges.pop()
        hurry()
    if edges:
        _close(edges, ended)
    return len(edges)


def _close(edges: Sequence[Edge], ended: Mapping[Node, str]) -> None:
    jobs = Job.objects.using(settings.DATABASE)
    children = jobs.filter(asking.AWAITS, pk__in={edge.child for edge in edges}).order_by("pk").select_for_update()
    found = list(children.values_list("pk", "scheduled_at", "state"))
    due = {pk: at for pk, at, _ in found}
    paused = {pk for pk, _, state in found if state != AWAITING}
    unmet: dict[int, Edge] = {}
    for met in (True, False):
        some = [edge for edge in edges if _is_met(edge.on, ended[edge.node]) == met]
        _open().filter(pk__in=[edge.id for edge in some]).update(met=met)
        if not met:
            unmet = {edge.child: edge for edge in some}
    waiting = set(_open().filter(child__in=due).values_list("child_id", flat=True))
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    now = clock.now()
    for edge in {edge.child: edge for edge in edges if edge.child in due}.values():
        if edge.child in unmet:
            groups[_refusal(unmet[edge.child], ended)].append(edge.child)
        elif edge.child not in waiting:
            groups[_release(edge, due[edge.child], ended, now)].append(edge.child)
    for (state, reason, *columns), ids in groups.items():
        target = Target(state, reason, {}, dict(columns))
        answered = asking.end_wait(ids, target, paused)
        _reopen([edge.id for edge in edges if edge.child in set(ids) - answered])


def _reopen(edges: Collection[int]) -> None:
    """Of children about which a filter raised: the leader asks again, until it is answered or the child is Failed."""
    if edges:
        JobDependency.objects.using(settings.DATABASE).filter(pk__in=edges).update(met=None)


def _is_met(on: str, state: str) -> bool:
    return on == JobDependency.On.ANY or (on == JobDependency.On.SUCCEEDED) == (state == SUCCEEDED)


def _refusal(edge: Edge, ended: Mapping[Node, str]) -> tuple[Any, ...]:
    return DELETED, f"Continuation condition was not met: {_name(edge.node)} {_ended(ended[edge.node])}"


def _release(edge: Edge, at: datetime | None, ended: Mapping[Node, str], now: datetime) -> tuple[Any, ...]:
    """State, reason and columns of a child that need not wait any longer; its delay counts from now."""
    due = at if edge.delay is None else now + timedelta(seconds=edge.delay)
    waits = due is not None and due > now
    columns: list[tuple[str, Any]] = [("scheduled_at", due)]
    if edge.expires is not None:
        columns.append(("start_before", (due if waits and due else now) + timedelta(seconds=edge.expires)))
    return SCHEDULED if waits else ENQUEUED, f"{_name(edge.node).capitalize()} {_ended(ended[edge.node])}", *columns


def _ended(state: str) -> str:
    return f"was {state}" if state == DELETED else state


def _name(node: Node) -> str:
    return f"{node[0]} #{node[1]}"


def reason(jobs: Sequence[int], batches: Sequence[int], failed: Collection[int]) -> str:
    """Why a child of these waits, in one line."""
    if failed:
        return f"Job #{min(failed)} failed; this one waits for it"
    first = _name(("job", min(jobs)) if jobs else ("batch", min(batches)))
    others = len(jobs) + len(batches) - 1
    return f"Waits for {first}" + (f" and {others} other{'s' if others > 1 else ''}" if others else "")


def explain(children: Iterable[int]) -> None:
    """Say anew of children why they wait."""
    parents: dict[int, list[tuple[int | None, int | None, str | None]]] = defaultdict(list)
    rows = _open().filter(child__in=set(children), child__state=AWAITING)
    for child, job, batch, state in rows.values_list("child_id", "parent_id", "batch_id", "parent__state"):
        parents[child].append((job, batch, state))
    texts: dict[str, list[int]] = defaultdict(list)
    for child, theirs in parents.items():
        jobs = [job for job, _, _ in theirs if job is not None]
        batches = [batch for _, batch, _ in theirs if batch is not None]
        failed = [job for job, _, state in theirs if job is not None and state == FAILED]
        texts[reason(jobs, batches, failed)].append(child)
    for text, ids in texts.items():
        waiting = Job.objects.using(settings.DATABASE).filter(pk__in=ids, state=AWAITING)
        waiting.exclude(state_reason=text).update(state_reason=text)


def tell_children(parents: Sequence[int]) -> None:
    """Let those that wait for these jobs say why: `AT_ONCE` of them at once, all in sets after the commit."""
    children = _open().filter(parent__in=parents).values_list("child_id", flat=True)
    first = list(children[: AT_ONCE + 1])
    explain(first[:AT_ONCE])
    if len(first) > AT_ONCE:
        transaction.on_commit(lambda: _explain_apart(parents, children), using=settings.DATABASE, robust=True)


def _explain_apart(parents: Sequence[int], children: Iterable[int]) -> None:
    jobs = Job.objects.using(settings.DATABASE)
    for part in parts(sorted(set(children))):
        with atomic():
            # whoever changes a parent's state meanwhile tells the children after us
            list(jobs.filter(pk__in=parents).order_by("pk").select_for_update().values_list("pk"))
            explain(part)


def look(jobs: Sequence[int], batches: Sequence[int], children: Sequence[int]) -> None:
    """What whoever stored edges does after the commit: a parent may have ended without seeing them."""
    alias = settings.DATABASE
    for part in parts(jobs):
        rows = Job.objects.using(alias).filter(pk__in=part)
        with atomic():
            # waits for the acknowledgement of a parent that may not have seen our edges, and is not committed yet
            list(rows.filter(state=PROCESSING).order_by("pk").select_for_update().values_list("pk"))
        states = dict(rows.filter(state__in=[*FINAL, FAILED]).values_list("pk", "state"))
        failed = [pk for pk, state in states.items() if state == FAILED]
        if failed:
            _explain_apart(failed, children)
        _settle_apart({("job", pk): state for pk, state in states.items() if state in FINAL})
    ended = Batch.objects.using(alias).filter(pk__in=batches, state__in=ENDS)
    _settle_apart({("batch", pk): state for pk, state in ended.values_list("pk", "state")})


def _settle_apart(ended: Mapping[Node, str], limit: int = AT_ONCE) -> int:
    if not ended:
        return 0
    with atomic():
        return settle(ended, limit)


def hurry() -> None:
    """Let the leader know, after the commit, that edges are to be closed. If nobody hears, its sweep finds them."""
    transaction.on_commit(lambda: events.publish("released"), using=settings.DATABASE, robust=True)


def catch_up() -> bool:
    """Close edges that are open though what they lead from has ended, in one set; whether there were any.

    What is no longer stored counts as deleted.
    """
    late = Q(parent__state__in=FINAL) | Q(batch__state__in=ENDS)
    gone = Q(parent_id__isnull=False, parent__state=None) | Q(batch_id__isnull=False, batch__state=None)
    edges = _open().filter(late | gone, child__state=AWAITING).order_by("id")
    if waiting := patience.waiting():
        edges = edges.exclude(child__in=waiting)
    found: dict[Node, str] = {}
    rows = edges.values_list("parent_id", "parent__state", "batch_id", "batch__state")
    for parent, state, batch, batch_state in rows[:AT_ONCE]:
        node = ("job", parent) if parent is not None else ("batch", batch)
        found[node] = (state if parent is not None else batch_state) or DELETED
    return bool(_settle_apart(found, SET_SIZE))
