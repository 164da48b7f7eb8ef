"""Events of a message broker start jobs. Handlers need no broker's client; only `amqp` does."""

from __future__ import annotations

from .events import Event
from .handlers import on_event
from .sources import Delivery, Source

__all__ = ["Delivery", "Event", "Source", "on_event"]
