"""What the consumer does with a message, whatever brought it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier, Thread
from threading import Event as Flag
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, connection, connections
from django.test import override_settings

from django_jobs import clock
from django_jobs.contrib.broker import Event, on_event
from django_jobs.contrib.broker.consumer import Consumer
from django_jobs.contrib.broker.handlers import handlers
from django_jobs.management.verbs.consume import make_source
from django_jobs.models import Job, ReceivedEvent
from django_jobs.server import cleaner
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Message:
    """A delivery that remembers how it was answered, and what was committed by then."""

    body: bytes
    properties: Mapping[str, Any] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    reason: str = ""
    committed: int = -1

    def accept(self) -> None:
        self.answers.append("accepted")
        self.committed = -1 if connection.in_atomic_block else Job.objects.count()

    def refuse(self, reason: str) -> None:
        self.answers.append("refused")
        self.reason = reason

    def put_back(self) -> None:
        self.answers.append("put back")


@dataclass
class Source:
    messages: list[Message]

    def deliveries(self, stopping: Flag) -> Iterator[Message | None]:
        yield from [None, *self.messages]


def envelope(**facts: Any) -> Message:
    event = {"id": "e-1", "type": "InvoiceCreated", "source": "sales", "data": {"invoice": 7}, **facts}
    return Message(json.dumps(event).encode())


def consume(*messages: Message) -> list[str]:
    Consumer(Source(list(messages)), rest=0).run()
    return [answer for message in messages for answer in message.answers]


def test_the_broker_is_told_once_the_jobs_are_committed() -> None:
    message = envelope()
    assert consume(message) == ["accepted"]
    assert message.committed == 1
    assert Job.objects.get().args == [7]
    assert ReceivedEvent.objects.get().event_type == "InvoiceCreated"


def test_an_event_that_comes_again_makes_no_second_job() -> None:
    assert consume(envelope(), envelope(), envelope(source="purchase")) == ["accepted"] * 3
    assert Job.objects.count() == 2, "the same id of another source is another event"


def test_data_alone_is_an_event_too_when_the_message_names_it() -> None:
    told = {"id": "m-1", "type": "InvoiceCreated", "source": "sales", "headers": {"tenant": "acme"}}
    assert consume(Message(b'{"invoice": 8}', told), envelope(id="m-1")) == ["accepted", "accepted"]
    assert [job.args for job in Job.objects.all()] == [[8]]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message(b"{"), "body: is not JSON"),
        (Message(b"\xff\xfe"), "body: is not JSON"),
        (Message(b"NaN"), "body: is not JSON: NaN"),
        (Message(b"[" * 100_000), "body: is not JSON"),
        (Message(b"{}", {"type": "InvoiceCreated"}), "id: is None; give a text of 1 to 255 characters"),
        (envelope(id=""), "id: is ''"),
        (envelope(id="x" * 256), "id: is 'xxx"),
        (envelope(id="a\nb"), "id: is 'a"),
        (envelope(type=7), "type: is 7"),
        (envelope(source=["x"]), "source: is ['x']"),
        (envelope(type="Unheard"), "type: 'Unheard' is taken by no handler; known: Dies"),
        (envelope(data={}), "KeyError"),
    ],
)
def test_what_cannot_be_handled_is_refused_with_a_clear_log(
    message: Message, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert consume(message) == ["refused"]
    assert message.reason.startswith(reason)
    (record,) = [record for record in caplog.records if record.name == "django_jobs.broker"]
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("Refused ")
    assert not ReceivedEvent.objects.exists(), "mended and sent again, it must be taken"
    assert not Job.objects.exists()


@pytest.fixture
def flaky() -> Iterator[None]:
    """A handler whose database is away at the first call."""
    calls: list[Event] = []

    def handler(event: Event) -> None:
        succeeds.enqueue(event.id)
        calls.append(event)
        if len(calls) == 1:
            raise OperationalError("server closed the connection")

    on_event("Flaky")(handler)
    yield
    handlers.remove("Flaky")


@pytest.mark.usefixtures("flaky")
def test_while_the_database_is_away_events_go_back() -> None:
    assert consume(envelope(type="Flaky"), envelope(type="Flaky")) == ["put back", "accepted"]
    assert Job.objects.count() == 1


def test_two_consumers_with_the_same_event_make_one_job() -> None:
    together, answers = Barrier(2), list[str]()

    def take() -> None:
        together.wait()
        answers.extend(consume(envelope()))
        connections.close_all()

    threads = [Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["accepted", "accepted"]
    assert Job.objects.count() == 1


def test_notes_of_old_events_are_deleted() -> None:
    consume(envelope(), envelope(id="e-2"))
    old = clock.now() - ReceivedEvent.KEPT - timedelta(seconds=1)
    ReceivedEvent.objects.filter(pk=Event("e-1", "InvoiceCreated", None, "sales").key).update(received_at=old)
    cleaner.clean()
    assert [row.pk for row in ReceivedEvent.objects.all()] == [Event("e-2", "", None, "sales").key]


def test_a_type_has_one_handler() -> None:
    with pytest.raises(ValueError, match=r"taken twice: by tests.app.events.invoice_created and .*succeeds"):
        on_event("InvoiceCreated")(succeeds)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ([], "must be a dictionary"),
        ({"url": "amqp://"}, "missing 1 required positional argument: 'queue'"),
        ({"url": "amqp://", "queue": "q", "que": 1}, "unexpected keyword argument 'que'"),
        ({"source": "nowhere.Kafka"}, "The source nowhere.Kafka cannot be imported"),
    ],
)
def test_a_wrong_setting_is_told(setting: Any, complaint: str) -> None:
    with override_settings(DJANGO_JOBS={"BROKER": setting}), pytest.raises(CommandError, match=complaint):
        make_source({})


def test_another_broker_is_a_class_that_the_setting_names() -> None:
    setting = {"source": "tests.broker.test_consumer.Source", "messages": [envelope()]}
    with override_settings(DJANGO_JOBS={"BROKER": setting}):
        Consumer(make_source({})).run()
    assert Job.objects.count() == 1
