"""Where nodes of a graph go."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_jobs.dashboard.layout import layered

pytestmark = pytest.mark.once


def columns(nodes: str, *edges: str) -> dict[object, int]:
    return {node: place[0] for node, place in layered(nodes, [(a, b) for a, b in edges]).places.items()}


def test_a_chain_goes_from_left_to_right() -> None:
    assert columns("cab", "ab", "bc") == {"a": 0, "b": 1, "c": 2}


def test_a_diamond_has_three_columns_and_is_centred() -> None:
    layout = layered("abcd", [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])
    assert layout.places == {"a": (0, 0.5), "b": (1, 0), "c": (1, 1), "d": (2, 0.5)}
    assert (layout.columns, layout.rows) == (3, 2)


def test_the_longest_way_counts_and_a_long_line_bends_around_boxes() -> None:
    layout = layered("abc", [("a", "b"), ("b", "c"), ("a", "c")])
    assert [layout.places[node][0] for node in "abc"] == [0, 1, 2]
    [(column, row)] = layout.ways["a", "c"]
    assert column == 1
    assert row != layout.places["b"][1]


def test_what_waits_for_nothing_stands_before_what_waits_for_it() -> None:
    assert columns("abcd", "ab", "bc", "dc") == {"a": 0, "b": 1, "c": 2, "d": 1}


def test_lines_that_need_not_cross_do_not() -> None:
    layout = layered("abxy", [("a", "y"), ("b", "x")])
    rows = {node: place[1] for node, place in layout.places.items()}
    assert (rows["a"] < rows["b"]) is (rows["y"] < rows["x"])


def test_nothing_and_one_are_graphs_too() -> None:
    assert layered([], []).places == {}
    assert layered([7], [(7, 7), (7, 8)]).places == {7: (0, 0)}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=60))
def test_every_graph_is_laid_out_cycles_too_and_no_two_nodes_share_a_place(edges: list[tuple[int, int]]) -> None:
    layout = layered(range(21), edges)
    assert len(set(layout.places.values())) == 21
    for (a, b), way in layout.ways.items():
        passed = [layout.places[a][0], *(column for column, _ in way), layout.places[b][0]]
        assert all(after == before + 1 for before, after in pairwise(passed))
    acyclic = {(a, b) for a, b in edges if a < b}
    assert set(layered(range(21), list(acyclic)).ways) == acyclic
