"""Progress bars. To move one is cheap: what is written is where it stands when the side thread comes by."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class ProgressBar:
    """How far the run is with something. `value` and `total` are numbers; a `total` of None is not known yet."""

    def __init__(self, name: str, total: float | None, stir: Callable[[], None]) -> None:
        self.name = name
        self.value = 0.0
        self.total = None if total is None else _number(total, "total")
        self.unwritten = True
        self._stir = stir

    def set(self, value: float, total: float | None = None) -> None:
        """Stand at `value`; `total` changes the goal. Raises ValueError where they are no finite numbers."""
        self.value = _number(value, "value")
        if total is not None:
            self.total = _number(total, "total")
        self._changed()

    def advance(self, by: float = 1) -> None:
        """Go on by so much. Raises ValueError where it is no finite number."""
        self.value += _number(by, "by")
        self._changed()

    def _changed(self) -> None:
        if not self.unwritten:
            self.unwritten = True
            self._stir()


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {value!r:.100}; the {name} of a progress bar is a finite number")
    return number
