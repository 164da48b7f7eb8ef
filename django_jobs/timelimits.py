"""Soft time limits of sync code: JobTimeout is raised inside the job when its time is up.

A timer signal does that in a main thread. For other threads one thread watches all limits of the process. Either way
the exception arrives at the next line of Python code: what is stuck in C code is left to the hard limit.
"""

from __future__ import annotations

import ctypes
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any

from .exceptions import JobTimeout


def time_limit(seconds: float | None) -> AbstractContextManager[Any]:
    """Raise JobTimeout in this thread when the block takes longer."""
    if seconds is None:
        return nullcontext()
    if threading.current_thread() is threading.main_thread():
        return _timer(seconds)
    return Limit(seconds)


@contextmanager
def _timer(seconds: float) -> Iterator[None]:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise JobTimeout(seconds)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Limit:
    """The limit of a block in a thread that is not the main one.

    Watch and block race for a token when the time is up just as the block ends. Whoever takes it decides: if the block
    does, nothing is raised any more. If the watch does, the block waits for the exception, so that it cannot arrive in
    code that comes after.
    """

    PATIENCE = 1.0
    """Seconds to wait for an exception that was sent; some C code may have swallowed it untouched."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due = time.monotonic() + seconds
        self._thread = threading.get_ident()
        self._token = [True]
        self._arrived = False

    def __enter__(self) -> None:
        watch.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._token.pop()
        except IndexError:
            end = time.monotonic() + self.PATIENCE
            while not self._arrived and time.monotonic() < end:
                time.sleep(0.001)
            if not self._arrived:
                _send(self._thread, None)
            return
        watch.remove(self)

    def ring(self) -> None:
        """Raise JobTimeout in the block, unless that has ended."""
        try:
            self._token.pop()
        except IndexError:
            return
        _send(self._thread, self._exception())

    def _exception(self) -> type[JobTimeout]:
        """A class, since only a class can be sent; making its instance tells that it arrived."""

        def arrive(error: JobTimeout) -> None:
            self._arrived = True
            JobTimeout.__init__(error, self.seconds)

        names = {"__init__": arrive, "__module__": JobTimeout.__module__, "__qualname__": JobTimeout.__qualname__}
        return type(JobTimeout.__name__, (JobTimeout,), names)


def _send(thread: int, exception: type[BaseException] | None) -> None:
    """Let a thread meet an exception at its next line, or take back one that it has not met."""
    told = ctypes.py_object() if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), told)


class Watch:
    """The one thread that waits for the limits of all others; it starts with the first of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limits: set[Limit] = set()
        self._wakes = float("inf")
        self._thread: threading.Thread | None = None

    def add(self, limit: Limit) -> None:
        with self._changed:
            self._limits.add(limit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="django-jobs-limits", daemon=True)
                self._thread.start()
            elif limit.due < self._wakes:
                self._changed.notify()

    def remove(self, limit: Limit) -> None:
        with self._changed:
            self._limits.discard(limit)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wakes = min((limit.due for limit in self._limits), default=float("inf"))
                wait = self._wakes - time.monotonic()
                if wait > 0:
                    self._changed.wait(None if wait == float("inf") else wait)
                    continue
                late = {limit for limit in self._limits if limit.due <= self._wakes}
                self._limits -= late
            for limit in late:
                limit.ring()


watch = Watch()
