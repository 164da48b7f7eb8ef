"""The console of one run, as far as it is not written yet."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from .. import clock
from ..call import clean_text
from ..conf import settings
from .bars import ProgressBar
from .metadata import MetadataDict

LEVELS = ("debug", "info", "success", "warning", "error", "critical")
COLORS = ("red", "green", "blue", "yellow", "cyan", "magenta", "gray")
LINE = 4000
"""Characters of one line; what is longer is cut, and says so."""
FLOOD = 50
"""Lines that a job may leave to one write once it has written as many as are kept."""
BARS = 50
"""Progress bars of one run."""


class Line(NamedTuple):
    """`number` counts within the run, from 1."""

    number: int
    at: datetime
    level: str
    color: str
    text: str


class Console:
    """What one run says. Any thread may speak; one at a time takes what is to be written (`outbox.flush`)."""

    def __init__(self, job_id: int, run: int, stir: Callable[[Console], None]) -> None:
        self.job_id = job_id
        self.run = run
        self.offset: int | None = None
        """Number of the job's last line before this run; None until the first write."""
        self.lines: deque[Line] = deque()
        self.bars: dict[str, ProgressBar] = {}
        self.written = 0
        self._said = 0
        self._lock = threading.Lock()
        self._stir = stir

    def log(self, text: object, level: str = "info", color: str | None = None) -> None:
        """Say a line. Raises ValueError for a level that is none of `LEVELS`, a colour that is none of `COLORS`."""
        _check(level, LEVELS, "level")
        if color is not None:
            _check(color, COLORS, "color")
        limit = settings.CONSOLE_LIMIT
        if not limit:
            return
        said = clean_text(_clipped(str(text)))
        with self._lock:
            self._said += 1
            self.lines.append(Line(self._said, clock.now(), level, color or "", said))
            if len(self.lines) > max(limit - self.written, min(FLOOD, limit)):
                self.lines.popleft()
        self._stir(self)

    def progress(self, name: str, value: float, total: float | None = None) -> None:
        """Set the bar of that name."""
        self.progress_bar(name).set(value, total)

    def progress_bar(self, name: str, total: float | None = None) -> ProgressBar:
        """The bar of that name; `total` changes its goal. Raises ValueError for a bad name, or a bar too many."""
        bar = self.bars.get(name)
        if bar is None:
            return self._new_bar(name, total)
        if total is not None:
            bar.set(bar.value, total)
        return bar

    def _new_bar(self, name: str, total: float | None) -> ProgressBar:
        if not isinstance(name, str) or not 0 < len(name) <= 100 or clean_text(name) != name:
            raise ValueError(f"name is {name!r:.150}; the name of a progress bar is a text of 1 to 100 characters")
        if len(self.bars) >= BARS:
            raise ValueError(f"name is {name!r}; a run has at most {BARS} progress bars")
        bar = self.bars.setdefault(name, ProgressBar(name, total, self._stirred))
        self._stirred()
        return bar

    @property
    def metadata(self) -> MetadataDict:
        """What the job keeps about itself."""
        found: MetadataDict | None = self.__dict__.get("_metadata")
        if found is None:
            found = self.__dict__.setdefault("_metadata", MetadataDict(self.job_id, self._stirred))
        return found

    @property
    def unwritten_metadata(self) -> MetadataDict | None:
        known: MetadataDict | None = self.__dict__.get("_metadata")
        return known if known is not None and known.unwritten else None

    def waiting(self) -> list[Line]:
        """The lines that wait to be written."""
        with self._lock:
            return list(self.lines)

    def wrote(self, last: int) -> None:
        """The lines up to that number are stored, or given up."""
        with self._lock:
            while self.lines and self.lines[0].number <= last:
                self.lines.popleft()
                self.written += 1

    def forget(self) -> None:
        """Give up what waits: nobody wants it, or no database takes it."""
        self.wrote(self._said)
        for bar in list(self.bars.values()):
            bar.unwritten = False
        if (metadata := self.unwritten_metadata) is not None:
            metadata.unwritten = False

    def _stirred(self) -> None:
        self._stir(self)


def _check(value: str, known: tuple[str, ...], name: str) -> None:
    if value not in known:
        raise ValueError(f"{name} is {value!r:.100}; give one of {', '.join(known)}")


def _clipped(text: str) -> str:
    if len(text) <= LINE:
        return text
    return f"{text[:LINE]}… ({len(text) - LINE:,} characters left out)"
