"""Which function takes which events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...exceptions import InvalidEvent
from ...plugins.host import REGISTRIES
from .events import Event

Handler = Callable[[Event], Any]


class Handlers:
    """The handlers of this process, by the type of their events."""

    def __init__(self) -> None:
        self._known: dict[str, Handler] = {}

    def add(self, event_type: str, handler: Handler) -> None:
        """Raises ValueError when another function takes that type already."""
        known = self._known.setdefault(event_type, handler)
        if (known.__module__, known.__qualname__) != (handler.__module__, handler.__qualname__):
            both = f"{known.__module__}.{known.__qualname__} and {handler.__module__}.{handler.__qualname__}"
            raise ValueError(f"events of type {event_type!r} are taken twice: by {both}")
        self._known[event_type] = handler

    def get(self, event_type: str) -> Handler:
        """Raises InvalidEvent for a type that nobody takes."""
        handler = self._known.get(event_type)
        if handler is None:
            raise InvalidEvent("type", f"{event_type!r} is taken by no handler; known: {', '.join(self.names())}")
        return handler

    def module_of(self, event_type: str) -> str:
        return self.get(event_type).__module__

    def remove(self, event_type: str) -> None:
        self._known.pop(event_type, None)

    def names(self) -> list[str]:
        """The types of events that are taken."""
        return sorted(self._known)


handlers = Handlers()
REGISTRIES.append(handlers)


def on_event(event_type: str, /) -> Callable[[Handler], Handler]:
    """The function takes the events of that type: ``handler(event)``. Write it in an app's ``jobs`` module.

    It runs in a transaction of our database, which also notes the event's id; the broker is told once that has
    committed. So it enqueues jobs and returns: what takes time, or may fail, belongs into a job. What it raises refuses
    the event, but for an OperationalError of the database, after which the event comes again.
    """
    if not isinstance(event_type, str) or not event_type:
        raise ValueError(f"on_event({event_type!r}): give the type of the events as a text")

    def register(handler: Handler) -> Handler:
        handlers.add(event_type, handler)
        return handler

    return register
