"""One event loop for all async jobs of a process, in a thread of its own, so that several of them run at once.

The thread that runs a job waits for it, and lends itself to the job's sync code meanwhile (`sync_to_async`, the ORM's
async methods): a job has one slot, and one connection, whether it is async or not.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync, async_to_sync

from .exceptions import JobTimeout

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that tasks get to end which a job left behind."""

_family: ContextVar[set[asyncio.Task[Any]] | None] = ContextVar("django_jobs_tasks", default=None)
"""The tasks that the current job made, those of its tasks included."""


class EventLoop:
    """The loop of a worker process; outside of one, each async job gets a loop of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """From now on async jobs share a loop; the first one starts it."""
        self._open = True

    def close(self) -> None:
        with self._lock:
            self._open = False
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it to its end, and lend this thread to its sync code."""
        with self._lent():
            return async_to_sync(_kept_together)(coroutine)

    @contextmanager
    def _lent(self) -> Iterator[None]:
        """Let `async_to_sync` in this thread use the loop, as it would use the one that called this thread."""
        local: Any = SyncToAsync.threadlocal
        if not self._open or _lends_itself():
            yield
            return
        local.main_event_loop, local.main_event_loop_pid = self._started(), os.getpid()
        try:
            yield
        finally:
            local.main_event_loop = local.main_event_loop_pid = None

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop.set_task_factory(_note_task)
                self._thread = threading.Thread(target=_live, args=[self._loop], name="django-jobs-loop", daemon=True)
                self._thread.start()
            return self._loop


def _live(loop: asyncio.AbstractEventLoop) -> None:
    """Run the loop until it is stopped. A task that exits ends its job; asyncio would let it end the loop of all."""
    ended = False
    while not ended:
        with suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()
            ended = True


def _lends_itself() -> bool:
    """Whether a loop waits for this thread. The one that asgiref remembers may have ended, or be a parent process's."""
    local: Any = SyncToAsync.threadlocal
    loop: asyncio.AbstractEventLoop | None = getattr(local, "main_event_loop", None)
    return loop is not None and loop.is_running() and getattr(local, "main_event_loop_pid", None) == os.getpid()


shared = EventLoop()


async def limited(awaitable: Any, seconds: float | None) -> Any:
    """What it returns; JobTimeout when that takes longer."""
    if seconds is None:
        return await awaitable
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await awaitable
    except TimeoutError as error:
        if limit.expired():
            raise JobTimeout(seconds) from error
        raise


def _note_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    family = _family.get()
    if family is not None:
        family.add(task)
        task.add_done_callback(family.discard)
    return task


async def _kept_together(coroutine: Coroutine[Any, Any, T]) -> T:
    """End the tasks that a job leaves behind, as a loop of its own would."""
    family: set[asyncio.Task[Any]] = set()
    _family.set(family)
    try:
        return await coroutine
    finally:
        left = {task for task in family if not task.done()}
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=PATIENCE)
