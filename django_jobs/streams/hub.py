"""One reader for all streams of this process: it looks at the database, and hands what it found to every listener."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC
from functools import cached_property
from typing import Any, NamedTuple

from django.db import DatabaseError, InterfaceError, connections

from .. import events, feed, monitoring
from ..feed import Event, Place
from ..masking import Mask, masks_of

logger = logging.getLogger("django_jobs.streams")

MOST = 200
"""Most streams of a process."""
PACE = 0.03
"""Seconds between two looks while something happens."""
REST = 0.25
"""Seconds between two looks while nothing does; an event wakes it earlier."""
BUSY = 2.0
"""Seconds after which nothing happens."""
OLD = 2.0
"""Seconds between two looks for what was missing for long."""
KEPT = 1000
"""Finds that are kept for listeners that are slow; who is slower reads for himself."""


class Told:
    """An event as it is sent, made once for all listeners."""

    def __init__(self, event: Event, mask: Mask | None = None) -> None:
        self.event = event
        self._mask = mask

    def facts(self, *, payload: bool) -> dict[str, Any]:
        """As JSON has it. Without the job's mask, as it is when the job is gone, nobody is told what may be secret."""
        event = self.event
        masked = self._mask if payload else None
        reason = masked.text(event.reason) if masked else monitoring.cause(event.state, event.reason)
        return {**event._asdict(), "reason": reason, "at": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z")}

    @cached_property
    def with_payload(self) -> str:
        return f"event: state\ndata: {json.dumps(self.facts(payload=True), ensure_ascii=False)}\n"

    @cached_property
    def without_payload(self) -> str:
        return f"event: state\ndata: {json.dumps(self.facts(payload=False), ensure_ascii=False)}\n"


def told_of(found: Collection[Event], *, payload: bool) -> list[Told]:
    """The events as they are sent. For those who may see payloads, one query finds what reasons must not say."""
    ids = {event.job for event in found if event.reason} if payload else set()
    masks = masks_of(ids) if ids else {}
    return [Told(event, masks.get(event.job)) for event in found]


class Find(NamedTuple):
    """What one look has found: events, and the jobs whose consoles have new lines."""

    number: int
    told: list[Told]
    place: Place
    said: frozenset[int] = frozenset()


class Full(Exception):
    """There are as many streams as this process may have."""


class Hub:
    """Runs a thread while somebody listens."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._finds: deque[Find] = deque(maxlen=KEPT)
        self._wakers: dict[object, Callable[[], None]] = {}
        self._members: dict[object, bool] = {}
        self._thread: threading.Thread | None = None
        self._place: Place | None = None
        self._number = 0

    def join(self, member: object, *, payload: bool = False) -> None:
        """Take one of the places; raises Full. `payload`: whether it may see payloads."""
        with self._changed:
            if len(self._members) >= MOST:
                raise Full
            self._members[member] = payload

    def leave(self, member: object) -> None:
        with self._changed:
            self._members.pop(member, None)
            self._wakers.pop(member, None)
            self._changed.notify_all()

    def begin(self, member: object, waker: Callable[[], None]) -> tuple[int, Place]:
        """Hear of finds from now on: the number of the last one, and the place where it ended."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._place = feed.now()
                self._thread = threading.Thread(target=self._run, name="django-jobs-events", daemon=True)
                self._thread.start()
            assert self._place is not None
            self._wakers[member] = waker
            return self._number, self._place

    def since(self, number: int) -> list[Find] | None:
        """The finds after that one; None where they are no longer kept."""
        with self._changed:
            missed = self._number - number
            if missed > len(self._finds):
                return None
            return [self._finds[-back] for back in range(missed, 0, -1)]

    def has(self, member: object) -> bool:
        """Whether it may go on."""
        return member in self._members

    def wait(self, member: object, number: int, seconds: float) -> None:
        """Until there is another find, or the member is no longer one."""
        with self._changed:
            self._changed.wait_for(lambda: self._number > number or member not in self._members, seconds)

    def stop(self) -> None:
        """Let everybody go, and wait for the thread's end."""
        with self._changed:
            self._members.clear()
            wakers = list(self._wakers.values())
            self._wakers.clear()
            self._changed.notify_all()
            thread = self._thread
        for wake in wakers:
            wake()
        if thread is not None:
            thread.join(10)

    def _run(self) -> None:
        with events.listen("ended", "scheduled", "console") as listener:
            busy = old = looked = time.monotonic()
            said: set[int] = set()
            while self._goes_on():
                try:
                    looked = time.monotonic()
                    thoroughly = looked - old > OLD
                    old = looked if thoroughly else old
                    busy = looked if self._look(thoroughly, said) else busy
                    said.clear()
                except (DatabaseError, InterfaceError):
                    logger.warning("The stream of events could not look at the database", exc_info=True)
                    connections.close_all()
                    time.sleep(1)
                if time.monotonic() - busy < BUSY:
                    _hear(listener, said, looked + PACE - time.monotonic(), whole=True)
                else:
                    connections.close_all()
                    _hear(listener, said, REST, whole=False)
        connections.close_all()

    def _goes_on(self) -> bool:
        with self._changed:
            if self._members:
                return True
            self._thread = self._place = None
            self._finds.clear()
            return False

    def _look(self, thoroughly: bool, said: set[int]) -> bool:
        """Whether there was anything."""
        if (before := self._place) is None:
            return False
        found, place, _ = feed.read(before, limit=1000, thoroughly=thoroughly)
        with self._changed:
            payload = any(self._members.values())
        told = told_of(found, payload=payload)
        with self._changed:
            self._place = place
            if not found and not said:
                return False
            self._number += 1
            self._finds.append(Find(self._number, told, place, frozenset(said)))
            self._changed.notify_all()
            wakers = list(self._wakers.values())
        for wake in wakers:
            wake()
        return True


def _hear(listener: events.Listener, said: set[int], seconds: float, *, whole: bool) -> None:
    """Note which consoles have new lines, until something is heard or for the `whole` time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        heard = listener.hear(left)
        if heard is None:
            time.sleep(max(0.0, end - time.monotonic()) if whole else 0)
            return
        if heard["kind"] == "console":
            said.update(heard["ids"])
        if not whole:
            return


hub = Hub()


def waker_of(event: asyncio.Event) -> Callable[[], None]:
    """Sets the event in the loop that runs here; silent once that loop has ended."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(event.set)
        except RuntimeError:
            pass

    return wake
