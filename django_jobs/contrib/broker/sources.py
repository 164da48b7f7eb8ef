"""What a broker has to do for us. `amqp` does it for RabbitMQ; another one is a class with the same two faces.

A source is made with the keys of ``DJANGO_JOBS["BROKER"]`` as arguments by name, without ``source``, which is the
class's dotted path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from threading import Event as Flag
from typing import Any, Protocol


class Delivery(Protocol):
    """A message that the broker keeps until one of the three verbs is called, once. None of them raises."""

    body: bytes
    properties: Mapping[str, Any]
    """``id``, ``type``, ``source`` and ``headers``, as far as the message has them."""

    def accept(self) -> None:
        """It is dealt with: the broker may forget it."""

    def refuse(self, reason: str) -> None:
        """It never can be dealt with: the broker puts it where people look."""

    def put_back(self) -> None:
        """It is to come again."""


class Source(Protocol):
    """Messages, one at a time, for as long as they are wanted."""

    def deliveries(self, stopping: Flag) -> Iterator[Delivery | None]:
        """The messages as they come, until `stopping` is set; None now and then while there are none.

        Goes on by itself when the broker was away. Raises SourceRefused for what waiting does not mend.
        """
