"""The loop between a broker and our database: an event becomes jobs exactly once.

The id of the event and the jobs of its handler are committed together, and only then is the broker told. A crash in
between brings the event again, and its id is known by then.
"""

from __future__ import annotations

import logging
from threading import Event as Flag

from django.db import IntegrityError, InterfaceError, OperationalError, close_old_connections

from ... import clock
from ...conf import settings
from ...exceptions import InvalidEvent
from ...models import ReceivedEvent
from ...transactions import atomic
from .events import Event, read
from .handlers import Handler, handlers
from .sources import Delivery, Source

logger = logging.getLogger("django_jobs.broker")

REST = 5.0
"""Seconds to wait after the database was away."""


class Consumer:
    """Takes what a source delivers, until it is asked to stop."""

    def __init__(self, source: Source, stopping: Flag | None = None, rest: float = REST) -> None:
        self.source = source
        self.stopping = stopping or Flag()
        self.rest = rest

    def run(self) -> None:
        """Raises SourceRefused where the broker will not have us."""
        for delivery in self.source.deliveries(self.stopping):
            if delivery is not None:
                close_old_connections()
                self.take(delivery)

    def take(self, delivery: Delivery) -> None:
        """Deal with one message: accept, refuse or put it back."""
        try:
            event = read(delivery.body, delivery.properties)
            handler = handlers.get(event.type)
        except InvalidEvent as error:
            logger.error("Refused a message: %s", error)
            delivery.refuse(str(error))
            return
        try:
            fresh = handle(event, handler)
        except (OperationalError, InterfaceError) as error:
            logger.warning("%s: the database says %s; it comes again", _name(event), str(error).strip())
            delivery.put_back()
            self.stopping.wait(self.rest)
        except Exception as error:
            logger.exception("Refused %s: its handler raised", _name(event))
            delivery.refuse(type(error).__name__)
        else:
            logger.info("%s %s", _name(event), "is dealt with" if fresh else "came again; nothing to do")
            delivery.accept()


def handle(event: Event, handler: Handler) -> bool:
    """Note the event and call its handler, in one transaction; False for an event that was noted before."""
    with atomic():
        if not _note(event):
            return False
        handler(event)
    return True


def _note(event: Event) -> bool:
    """Whoever holds the same event uncommitted is waited for."""
    try:
        with atomic():
            rows = ReceivedEvent.objects.using(settings.DATABASE)
            rows.create(pk=event.key, event_type=event.type, received_at=clock.now())
    except IntegrityError:
        return False
    return True


def _name(event: Event) -> str:
    return f"Event {event.id!r} of type {event.type!r}"
