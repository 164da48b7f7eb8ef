"""What a look finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `level`, what was found, and, unless all is well, what to do about it.

    `quote` may quote arguments; `place` is the page of the dashboard that shows it, such as "jobs?state=failed".
    """

    level: Level
    subject: str
    found: str
    remedy: str = ""
    quote: str = ""
    place: str = ""


Look = Callable[[], Iterator[Finding]]
