"""What was asked of the runs of this process: to end, or to pause. A run looks by itself; only async code is woken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from .exceptions import JobCancelled

CANCEL = "cancel"
PAUSE = "pause"
RESUME = "resume"
KILL = "kill"
"""Cancel by force: for the process, not for the run."""

Key = tuple[int, int]
"""Job id and run number."""
EARLY = 1000
"""Most orders that are kept for runs which have not begun."""


class Control:
    """The token of one run: written by side threads, read by the job."""

    __slots__ = ("_listeners", "cancelled", "pausing")

    def __init__(self) -> None:
        self.cancelled = False
        self.pausing = False
        self._listeners: list[Callable[[str], None]] = []

    def hear(self, word: str) -> None:
        """Take an order: CANCEL, PAUSE, or RESUME, which takes back a PAUSE."""
        if word == CANCEL:
            self.cancelled = True
        elif word in (PAUSE, RESUME):
            self.pausing = word == PAUSE
        for listener in tuple(self._listeners):
            listener(word)

    def raise_if_cancelled(self) -> None:
        if self.cancelled:
            raise JobCancelled

    @contextmanager
    def listening(self, listener: Callable[[str], None]) -> Iterator[None]:
        """Call `listener` with every order, from another thread; at once where the run is cancelled already."""
        self._listeners.append(listener)
        try:
            if self.cancelled:
                listener(CANCEL)
            yield
        finally:
            self._listeners.remove(listener)

    @contextmanager
    def cancelling_task(self) -> Iterator[None]:
        """Let a cancellation of the run raise CancelledError in the current asyncio task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def cancel(word: str) -> None:
            if word == CANCEL and task is not None:
                with suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(task.cancel)

        with self.listening(cancel):
            yield


class Runs:
    """The runs that are going on in this process, by job id and run number."""

    def __init__(self) -> None:
        self.stop: object = False
        """True once the process is to stop: runs that make checkpoints end at their next one."""
        self._lock = threading.Lock()
        self._controls: dict[Key, Control] = {}
        self._early: dict[Key, str] = {}

    def begin(self, key: Key) -> Control:
        control = Control()
        with self._lock:
            self._controls[key] = control
            word = self._early.pop(key, None)
        if word:
            control.hear(word)
        return control

    def end(self, key: Key) -> None:
        with self._lock:
            self._controls.pop(key, None)

    def tell(self, word: str, key: Key) -> bool:
        """Pass an order on to a run; whether it is going on here. One that did not begin yet hears it then."""
        with self._lock:
            control = self._controls.get(key)
            if control is None:
                self._early[key] = word
                if len(self._early) > EARLY:
                    del self._early[next(iter(self._early))]
                return False
        control.hear(word)
        return True

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._controls

    def keys(self) -> list[Key]:
        with self._lock:
            return list(self._controls)


runs = Runs()
