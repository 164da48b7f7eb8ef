"""Loops that go on where an earlier run of the job stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any, Generic, TypeVar

from asgiref.sync import sync_to_async

from .checkpoints import Checkpoints
from .console import ProgressBar
from .sources import Source

T = TypeVar("T")


class Iteration(Generic[T]):
    """The items that are left. An item counts as done when the next one is asked for, or by `save`."""

    def __init__(
        self,
        name: str,
        source: Source[T],
        checkpoints: Checkpoints,
        make_bar: Callable[[str, float | None], ProgressBar],
        total: int | None,
    ) -> None:
        checkpoints.begin(name)
        self.name = name
        self._source = source
        self._checkpoints = checkpoints
        self._make_bar = make_bar
        self._bar: ProgressBar | None = None
        self._given = total
        self._has_item = False

    @cached_property
    def _at(self) -> dict[str, Any]:
        """Where it is; read when it is first needed, since async code may make an iteration but not read."""
        at, kind = self._checkpoints.iteration(self.name), type(self._source).__name__.lower()
        if at.setdefault("kind", kind) != kind:
            raise ValueError(f"The iteration {self.name!r} was begun over {at['kind']} and cannot go on over {kind}")
        if not at.get("ended"):
            self._source.begin(at.get("position"))
        if "total" not in at:
            at["total"] = self._source.total() if self._given is None else self._given
        at.setdefault("done", 0)
        self._checkpoints.change()
        with suppress(ValueError):  # a run has so many bars at most
            self._bar = self._make_bar(self.name, at["total"])
        self._show(at)
        return at

    @property
    def done(self) -> int:
        """Number of items that are done, those of earlier runs included."""
        return int(self._at["done"])

    @property
    def total(self) -> int | None:
        """How many items (of a file: bytes) there were at the beginning, or what the job gave; None if unknown."""
        total: int | None = self._at["total"]
        return total

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._has_item:
            self._mark()
        ended = self._at.get("ended")
        self._checkpoints.step()
        if ended:
            raise StopIteration
        try:
            item = self._source.fetch()
        except StopIteration:
            self._end()
            raise
        self._has_item = True
        return item

    def __aiter__(self) -> Iteration[T]:
        return self

    async def __anext__(self) -> T:
        found = await sync_to_async(self._take)()
        if found is None:
            raise StopAsyncIteration
        return found[0]

    def _take(self) -> tuple[T] | None:
        """The next item in a tuple: a StopIteration cannot leave a thread."""
        try:
            return (next(self),)
        except StopIteration:
            return None

    def save(self) -> None:
        """Count the current item as done now. In a transaction the position is stored as part of it."""
        if self._has_item:
            self._mark()
        else:  # marked before, but the transaction that stored the mark may have been rolled back
            self._checkpoints.change()
        self._checkpoints.step()

    def _mark(self) -> None:
        self._has_item = False
        self._at["position"] = self._source.position
        self._at["done"] += 1
        self._checkpoints.change()
        self._show(self._at)

    def _end(self) -> None:
        self._at["ended"] = True
        self._checkpoints.change()
        self._show(self._at)

    def _show(self, at: dict[str, Any]) -> None:
        if self._bar is None:
            return
        value: float = at["done"]
        if at.get("ended") and at["total"] is not None:
            value = at["total"]
        elif self._given is None and self._source.measure is not None:
            value = self._source.measure
        self._bar.set(value, at["total"])
