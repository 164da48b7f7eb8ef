"""Events from RabbitMQ, or any broker that speaks AMQP 0.9.1, by kombu (the extra ``amqp``)."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from threading import Event as Flag
from typing import Any

from amqp.exceptions import AccessRefused, PreconditionFailed
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.message import Message
from kombu.messaging import Consumer

from ...exceptions import SourceRefused
from .handlers import handlers

logger = logging.getLogger("django_jobs.broker")

HEARTBEAT = 30
"""Seconds by which broker and consumer know each other to be alive."""
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between two tries to reach a broker that is away."""
LOOK = 1.0
"""Seconds within which an order to stop is seen."""


class AmqpSource:
    """A durable queue, bound to an exchange; what is refused goes to the queue of the same name with ``.refused``.

    url: ``amqp://user:password@host:5672/vhost``; ``amqps://`` for TLS.
    queue: its name.
    exchange: a topic exchange to bind it to; without one, producers send to the queue itself.
    routing_keys: what to bind; default are the types of events that have a handler.
    prefetch: messages that the broker hands out before the first is acknowledged.
    declare: False takes the queue as it is, where somebody else administers the broker.
    """

    def __init__(
        self,
        url: str,
        queue: str,
        exchange: str = "",
        routing_keys: Sequence[str] = (),
        prefetch: int = 20,
        *,
        declare: bool = True,
    ) -> None:
        self.url = url
        self.queue = queue
        self.exchange = exchange
        self.routing_keys = routing_keys
        self.prefetch = prefetch
        self.declare = declare

    def deliveries(self, stopping: Flag) -> Iterator[Delivery | None]:
        tries = 0
        while not stopping.is_set():
            connection = Connection(self.url, heartbeat=HEARTBEAT, connect_timeout=5)
            try:
                connection.connect()
                tries = 0
                yield from self._listen(connection, stopping)
            except (AccessRefused, PreconditionFailed) as error:
                raise SourceRefused(f"{connection.as_uri()}, queue {self.queue}: {error}") from error
            except (*connection.connection_errors, *connection.channel_errors) as error:
                pause = PAUSES[min(tries, len(PAUSES) - 1)]
                logger.warning("%s is away, trying again in %g s: %s", connection.as_uri(), pause, error)
                tries += 1
                stopping.wait(pause)
            finally:
                _let_go(connection)

    def _listen(self, connection: Connection, stopping: Flag) -> Iterator[Delivery | None]:
        channel = connection.channel()
        waiting: deque[Message] = deque()
        lost = connection.connection_errors + connection.channel_errors
        consumer = Consumer(channel, [self._queue(channel)], on_message=waiting.append, auto_declare=False)
        consumer.qos(prefetch_count=self.prefetch)
        consumer.consume()
        logger.info("Connected to %s, queue %s", connection.as_uri(), self.queue)
        while not stopping.is_set():
            while waiting and not stopping.is_set():
                yield Delivery(waiting.popleft(), lost)
            try:
                connection.drain_events(timeout=LOOK)
            except TimeoutError:
                yield None
            connection.heartbeat_check()

    def _queue(self, channel: Any) -> Queue:
        """The queue, declared with its bindings, unless somebody else does that."""
        refused = f"{self.queue}.refused"
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": refused}
        queue = Queue(self.queue, durable=True, queue_arguments=arguments)(channel)
        if self.declare:
            Queue(refused, durable=True)(channel).declare()
            queue.queue_declare()
            if self.exchange:
                Exchange(self.exchange, "topic", durable=True)(channel).declare()
                for key in self.routing_keys or handlers.names():
                    queue.bind_to(self.exchange, key)
        return queue


class Delivery:
    """A message of AMQP. An acknowledgement that does not reach the broker brings the message again."""

    def __init__(self, message: Message, lost: tuple[type[Exception], ...]) -> None:
        self._message = message
        self._lost = lost
        body = message.body
        self.body: bytes = body.encode() if isinstance(body, str) else bytes(body)
        told, headers = message.properties, dict(message.headers or {})
        self.properties: Mapping[str, Any] = {
            "id": told.get("message_id"),
            "type": told.get("type") or (message.delivery_info or {}).get("routing_key"),
            "source": told.get("app_id"),
            "headers": headers,
        }

    def accept(self) -> None:
        self._answer("ack")

    def refuse(self, reason: str) -> None:
        self._answer("reject")

    def put_back(self) -> None:
        self._answer("requeue")

    def _answer(self, verb: str) -> None:
        try:
            getattr(self._message, verb)()
        except self._lost as error:
            logger.warning("The broker did not hear the %s of a message, which comes again: %s", verb, error)


def _let_go(connection: Connection) -> None:
    """What was handed out and not acknowledged goes back to the queue."""
    try:
        connection.release()
    except (*connection.connection_errors, *connection.channel_errors):
        pass
