"""Where the nodes of a graph go: columns from left to right, few crossings. Knows nothing of jobs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

Node = Hashable
Edge = tuple[Node, Node]
SWEEPS = 4
CENTRED = 9
"""Rows up to which columns stand centred; a taller graph begins at the top, where it is read from."""


@dataclass(frozen=True)
class Layout:
    """Column and row of each node, and for each edge the rows at which it passes the columns between its ends."""

    places: dict[Node, tuple[int, float]]
    ways: dict[Edge, list[tuple[int, float]]]
    columns: int = 0
    rows: float = 0


@dataclass(frozen=True)
class Bend:
    """Where an edge passes a column that is not its end's."""

    edge: Edge
    column: int


@dataclass
class _Columns:
    """Nodes and bends by column, with their neighbours in the columns before and after."""

    of: list[list[Node]]
    before: dict[Node, list[Node]] = field(default_factory=lambda: defaultdict(list))
    after: dict[Node, list[Node]] = field(default_factory=lambda: defaultdict(list))


def layered(nodes: Sequence[Node], edges: Sequence[Edge]) -> Layout:
    """Every edge leads to a column further right; nodes that nothing connects stand in the first one."""
    known = set(nodes)
    drawn = [(a, b) for a, b in dict.fromkeys(edges) if a in known and b in known and a != b]
    depth = _depths(nodes, drawn)
    forward = [(a, b) for a, b in drawn if depth[a] < depth[b]]
    columns, bends = _columned(nodes, forward, depth)
    _ordered(columns)
    place = _placed(columns)
    ways = {edge: [place[bend] for bend in bends[edge]] for edge in forward}
    tallest = max((len(column) for column in columns.of), default=0)
    return Layout({node: place[node] for node in nodes}, ways, len(columns.of), tallest)


def _depths(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[Node, int]:
    """The longest way to each node. Should there be a cycle, it is cut where it was entered."""
    waits = dict.fromkeys(nodes, 0)
    after: dict[Node, list[Node]] = defaultdict(list)
    for a, b in edges:
        after[a].append(b)
        waits[b] += 1
    depth: dict[Node, int] = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not waits[node]]
    left = dict.fromkeys(nodes)
    while left:
        node = ready.pop() if ready else next(iter(left))
        if node not in left:
            continue
        del left[node]
        for other in after[node]:
            if other in left:
                depth[other] = max(depth[other], depth[node] + 1)
                waits[other] -= 1
                if not waits[other]:
                    ready.append(other)
    return _pulled(depth, after, edges)


def _pulled(depth: dict[Node, int], after: dict[Node, list[Node]], edges: Sequence[Edge]) -> dict[Node, int]:
    """What waits for nothing stands directly before the first that waits for it."""
    entered = {b for _, b in edges}
    for node in depth:
        if node not in entered and after[node]:
            depth[node] = max(0, min(depth[other] for other in after[node]) - 1)
    return depth


def _columned(
    nodes: Sequence[Node], edges: Sequence[Edge], depth: dict[Node, int]
) -> tuple[_Columns, dict[Edge, list[Bend]]]:
    columns = _Columns([[] for _ in range(max(depth.values(), default=-1) + 1)])
    for node in nodes:
        columns.of[depth[node]].append(node)
    bends: dict[Edge, list[Bend]] = {}
    for edge in edges:
        bends[edge] = [Bend(edge, column) for column in range(depth[edge[0]] + 1, depth[edge[1]])]
        for bend in bends[edge]:
            columns.of[bend.column].append(bend)
        chain: list[Node] = [edge[0], *bends[edge], edge[1]]
        for a, b in pairwise(chain):
            columns.after[a].append(b)
            columns.before[b].append(a)
    return columns, bends


def _ordered(columns: _Columns) -> None:
    """Sort each column by the middle of its neighbours, to and fro: few lines cross then."""
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        order = columns.of if forth else columns.of[::-1]
        near = columns.before if forth else columns.after
        for fixed, moved in pairwise(order):
            at = {node: row for row, node in enumerate(fixed)}
            own = {node: row for row, node in enumerate(moved)}
            middle = {node: fmean([at[other] for other in near[node]] or [own[node]]) for node in moved}
            moved.sort(key=lambda node: (middle[node], own[node]))


def _placed(columns: _Columns) -> dict[Node, tuple[int, float]]:
    tallest = max((len(column) for column in columns.of), default=0)
    place: dict[Node, tuple[int, float]] = {}
    for number, column in enumerate(columns.of):
        top = (tallest - len(column)) / 2 if tallest <= CENTRED else 0
        for row, node in enumerate(column):
            place[node] = (number, top + row)
    return place
