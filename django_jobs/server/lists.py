"""Which lists of Redis a worker pops, and in which order: strict or by weight, without the queues that are paused."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from django.db import Error as DatabaseError

from .. import monitoring, queues

LOOK = 1.0
"""Seconds for which the pauses that were read are believed. The claim decides; this only spares useless pops."""


class Lists:
    """The lists of a worker's queues. With weights, each pop draws the order anew: a queue comes first as often as its
    weight is of all weights, so that none starves."""

    def __init__(self, names: Sequence[str], address: str, weights: Mapping[str, float]) -> None:
        self._keys = {name: queues.keys_of([name], address) for name in names}
        self._weights = weights
        self._paused: set[str] = set()
        self._read_at = 0.0

    def in_order(self) -> list[str]:
        """In the order in which to pop them; empty when every queue is paused."""
        if self._paused:
            with suppress(DatabaseError):  # the claim waits for the database, not this look
                self.refresh()
        return [key for name in self._order() if name not in self._paused for key in self._keys[name]]

    def refresh(self) -> None:
        """Read the pauses anew, unless that was done a moment ago."""
        if time.monotonic() - self._read_at > LOOK:
            self._read_at = time.monotonic()
            self._paused = monitoring.paused_queues() & set(self._keys)

    def _order(self) -> list[str]:
        if not self._weights:
            return list(self._keys)
        return sorted(self._keys, key=lambda name: random.random() ** (1 / self._weights.get(name, 1)), reverse=True)


def parse(entries: Sequence[str]) -> tuple[list[str], dict[str, float]]:
    """Names and weights from ``["critical:4", "default"]``; no weights where none is given, and strict order then.

    Raises ValueError naming the entry.
    """
    names: list[str] = []
    weights: dict[str, float] = {}
    for entry in entries:
        name, colon, weight = entry.partition(":")
        names.append(name)
        if colon:
            weights[name] = _weight(entry, weight)
    return names, {name: weights.get(name, 1.0) for name in names} if weights else {}


def _weight(entry: str, text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = 0.0
    if not 0 < weight < float("inf"):
        raise ValueError(f"{entry!r}: the weight of a queue is a number above 0, as in critical:4")
    return weight
