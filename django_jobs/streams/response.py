"""One listener's stream: server-sent events, for an asynchronous server or a threaded one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse

from .hub import hub, waker_of

HEARTBEAT = 15.0
"""Seconds after which a stream says that it lives, where nothing happened."""
CHECK = 10.0
"""Seconds between two looks whether the listener may still listen."""
LONGEST = 15 * 60.0
LONGEST_OF_THREAD = 30.0
"""Seconds after which a stream ends, so that listeners come again: where it takes a thread, they shall be few."""

HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
    "Content-Encoding": "identity",
}
"""Without these, proxies and Django's GZipMiddleware hold events back."""


class Listener(Protocol):
    """A member of the hub that has joined, and what is sent to it."""

    may: Callable[[], bool]
    """Asks whether it may still listen."""

    def begin(self, waker: Callable[[], None]) -> None: ...

    def leave(self) -> None: ...

    @property
    def is_behind(self) -> bool:
        """Whether it has to look at the database itself."""

    def catch_up(self) -> str:
        """A page of what was missed, as text; "" once nothing was missed any more."""

    def take(self) -> str:
        """What the hub has found since, as text."""

    def wait(self, seconds: float) -> None:
        """Until the hub has found more."""

    def hello(self) -> str:
        """The first words."""

    @property
    def alive(self) -> str:
        """What is sent where nothing happened for long."""


def let_go() -> None:
    """Close this thread's connections to databases, but for one that is in the middle of a transaction."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


class Schedule:
    """When a stream has to say that it lives, to ask whether it may go on, and to end."""

    def __init__(self, longest: float) -> None:
        now = time.monotonic()
        self._end, self._check, self._beat = now + longest, now + CHECK, now + HEARTBEAT

    @property
    def left(self) -> float:
        """Seconds until there is something to do."""
        return max(0.0, min(self._end, self._check, self._beat) - time.monotonic())

    @property
    def over(self) -> bool:
        return time.monotonic() >= self._end

    @property
    def must_check(self) -> bool:
        due = time.monotonic() >= self._check
        self._check += CHECK if due else 0
        return due

    @property
    def must_beat(self) -> bool:
        return time.monotonic() >= self._beat

    def sent(self) -> None:
        self._beat = time.monotonic() + HEARTBEAT


def _begin(listener: Listener, waker: Callable[[], None]) -> None:
    try:
        listener.begin(waker)
    finally:
        let_go()


def in_thread(listener: Listener) -> Iterator[bytes]:
    schedule = Schedule(LONGEST_OF_THREAD)
    _begin(listener, lambda: None)
    yield listener.hello().encode()
    while hub.has(listener) and not schedule.over and not (schedule.must_check and not listener.may()):
        text = listener.catch_up() if listener.is_behind else listener.take()
        if not text and schedule.must_beat:
            text = listener.alive
        if text:
            schedule.sent()
            yield text.encode()
        elif not listener.is_behind:
            listener.wait(schedule.left)


async def in_loop(listener: Listener) -> AsyncIterator[bytes]:
    schedule = Schedule(LONGEST)
    woken = asyncio.Event()
    await sync_to_async(_begin, thread_sensitive=False)(listener, waker_of(woken))
    yield listener.hello().encode()
    while hub.has(listener) and not schedule.over and not (schedule.must_check and not await _may(listener)):
        woken.clear()
        behind = listener.is_behind
        text = await sync_to_async(listener.catch_up, thread_sensitive=False)() if behind else listener.take()
        if not text and schedule.must_beat:
            text = listener.alive
        if text:
            schedule.sent()
            yield text.encode()
        elif not behind:
            await _until(woken, schedule.left)


async def _may(listener: Listener) -> bool:
    return bool(await sync_to_async(listener.may, thread_sensitive=False)())


async def _until(woken: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(woken.wait(), seconds)
    except TimeoutError:
        pass


class Stream(StreamingHttpResponse):
    """Holds no database connection while it waits; gives its place back however it ends."""

    def __init__(self, listener: Listener, *, asynchronous: bool) -> None:
        content: Any = in_loop(listener) if asynchronous else in_thread(listener)
        super().__init__(content, content_type="text/event-stream; charset=utf-8", headers=HEADERS)
        self._listener = listener

    def close(self) -> None:
        self._listener.leave()
        super().close()
