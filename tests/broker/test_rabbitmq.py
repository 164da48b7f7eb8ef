"""`jobs consume` with a real RabbitMQ: its restart, crashes on both sides of the commit, what is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from django_jobs.models import Job, ReceivedEvent
from tests.broker.rabbitmq import RabbitMQ
from tests.servers import ROOT, eventually

pytestmark = [pytest.mark.processes, pytest.mark.once, pytest.mark.django_db(transaction=True)]

QUEUE = "tests.jobs"
Start = Callable[..., "Consumer"]


class Consumer:
    """A `manage.py jobs consume` that runs, and has its queue."""

    def __init__(self, environment: dict[str, str], log: Path, *arguments: str) -> None:
        self._log = log
        command = [sys.executable, "-m", "django", "jobs", "consume", "--queue", QUEUE, *arguments]
        with log.open("ab") as out:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
        self.says("Connected to")

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.log.count(text) >= times, 30, f"{text!r} in its log:\n{self.log}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def start(rabbitmq: RabbitMQ, server_environment: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    started: list[Consumer] = []
    environment = {**server_environment, "DJANGO_JOBS_BROKER_URL": rabbitmq.url}

    def one(*arguments: str) -> Consumer:
        started.append(Consumer(environment, tmp_path / f"consumer-{len(started)}.log", *arguments))
        return started[-1]

    yield one
    for consumer in started:
        consumer.process.kill()
        consumer.process.wait()


def publish(rabbitmq: RabbitMQ, body: Any, *, exchange: str = "", key: str = QUEUE, **properties: Any) -> None:
    """Send it, and wait until the broker has it on its disk."""
    with Connection(rabbitmq.url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer()
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        producer.publish(
            text, exchange=exchange, routing_key=key, delivery_mode=2, content_encoding="binary", **properties
        )


def event(number: int, type: str = "InvoiceCreated", **data: Any) -> dict[str, Any]:
    return {"id": f"e-{number}", "type": type, "source": "sales", "data": {"invoice": number, **data}}


def length(rabbitmq: RabbitMQ, queue: str) -> int:
    with Connection(rabbitmq.url) as connection, connection.channel() as channel:
        return int(channel.queue_declare(queue, passive=True).message_count)


def invoices() -> list[Any]:
    return sorted(job.args[0] for job in Job.objects.all())


def test_events_become_jobs_once_and_the_consumer_outlives_the_broker(rabbitmq: RabbitMQ, start: Start) -> None:
    consumer = start("--exchange", "sales", "--log-format", "json")
    publish(rabbitmq, event(1), exchange="sales", key="InvoiceCreated")
    publish(rabbitmq, event(1), exchange="sales", key="InvoiceCreated")
    publish(rabbitmq, {"invoice": 2}, message_id="e-2", type="InvoiceCreated")
    publish(rabbitmq, b"no JSON")
    publish(rabbitmq, event(9, "Unheard"))
    eventually(lambda: length(rabbitmq, f"{QUEUE}.refused") == 2, what=consumer.log)
    assert invoices() == [1, 2]
    assert "came again; nothing to do" in consumer.log
    assert "Refused a message: body: is not JSON" in consumer.log

    rabbitmq.kill()
    consumer.says("is away, trying again")
    assert "guest:guest" not in consumer.log, "passwords are masked"
    rabbitmq.start()
    publish(rabbitmq, event(1), exchange="sales", key="InvoiceCreated")
    publish(rabbitmq, event(3), exchange="sales", key="InvoiceCreated")
    eventually(lambda: invoices() == [1, 2, 3], 30, consumer.log)
    assert consumer.stop() == 0


def test_a_crash_on_either_side_of_the_commit_loses_and_doubles_nothing(
    rabbitmq: RabbitMQ, start: Start, tmp_path: Path
) -> None:
    consumer = start()
    for number, moment in enumerate(["DiesBeforeTheCommit", "DiesAfterTheCommit"], 11):
        (tmp_path / moment).touch()
        publish(rabbitmq, event(number, moment, file=str(tmp_path / moment)))
        assert consumer.process.wait(20) == -signal.SIGKILL
        assert ReceivedEvent.objects.filter(event_type=moment).exists() is (moment == "DiesAfterTheCommit")
        consumer = start()
        consumer.says("is dealt with" if moment == "DiesBeforeTheCommit" else "came again; nothing to do")
    assert consumer.stop() == 0
    assert invoices() == [11, 12]
    assert length(rabbitmq, QUEUE) == 0


def test_a_queue_that_was_declared_otherwise_is_told(rabbitmq: RabbitMQ, server_environment: dict[str, str]) -> None:
    with Connection(rabbitmq.url) as connection, connection.channel() as channel:
        channel.queue_declare("tests.taken", durable=True, auto_delete=False)
    environment = {**server_environment, "DJANGO_JOBS_BROKER_URL": rabbitmq.url}
    command = [sys.executable, "-m", "django", "jobs", "consume", "--queue", "tests.taken"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "The broker refuses" in done.stderr
    assert "x-dead-letter-exchange" in done.stderr
