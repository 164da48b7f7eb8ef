"""A good neighbour: RQ's own pages, commands and jobs live in the same queues, and none of them loses a bell."""

from __future__ import annotations

from typing import Any

import django_rq
import pytest
from django.core import checks as django_checks
from django.test import Client, override_settings
from django.urls import reverse
from rq import Queue, Worker
from rq.cli import main as rq_command
from rq.suspension import is_suspended, resume, suspend

from django_jobs import checks, queues
from django_jobs.queues import JobQueue
from tests import services
from tests.app import ordinary
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def bells() -> set[int]:
    return queues.waiting("default")


def page(client: Client, name: str) -> str:
    index = sorted(queues.names()).index("default")
    response = client.get(reverse(f"admin:django_rq_{name}", args=[index]))
    assert response.status_code == 200
    return response.content.decode()


def test_the_pages_of_django_rq_list_bells_and_remove_none(client: Client) -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(3)])
    listing = page(client, "jobs")
    assert all(f"dj:{job.pk}" in listing for job in jobs)
    assert "tests.adds" in listing
    page(client, "queue_details")
    assert client.get(reverse("admin:django_rq_dashboard_changelist")).status_code == 200
    assert bells() == {job.pk for job in jobs}


def test_a_listing_of_bells_takes_one_query(django_assert_num_queries: Any) -> None:
    adds.enqueue_many([(n, n) for n in range(50)])
    with django_assert_num_queries(1):
        listed = django_rq.get_queue("default").get_jobs()
    assert len(listed) == 50
    assert listed[0].description == "tests.adds(0, 0)"


def test_rqs_own_queue_class_would_remove_them() -> None:
    """The trap that JobQueue is there for; when this fails, RQ has changed and JobQueue may go."""
    job = adds.enqueue(1, 2)
    Queue("default", connection=queues.connect("default", timeout=5)).get_jobs()
    assert bells() == set()
    assert job.pk


def test_compacting_a_queue_keeps_bells() -> None:
    job = adds.enqueue(1, 2)
    queue = django_rq.get_queue("default")
    queue.enqueue(ordinary.doubles, 2)
    dead = queue.enqueue(ordinary.doubles, 3)
    dead.connection.delete(dead.key)
    assert isinstance(queue, JobQueue)
    queue.compact()
    assert bells() == {job.pk}
    assert queue.count == 2


def test_rq_info_counts_bells(capsys: pytest.CaptureFixture[str]) -> None:
    adds.enqueue_many([(n, n) for n in range(7)])
    with pytest.raises(SystemExit) as ended:
        rq_command(["info", "-u", services.redis_url(), "--only-queues"])
    assert ended.value.code == 0
    assert "7 jobs total" in capsys.readouterr().out
    assert len(bells()) == 7


def test_suspension_is_rqs_own() -> None:
    connection = queues.connect("default", timeout=5)
    suspend(connection)
    assert is_suspended(connection)
    resume(connection)
    assert not is_suspended(connection)


def test_priorities_wait_in_bands_beside_the_queue() -> None:
    for priority in (0, -100, 100, 5, -5):
        adds.using(priority=priority).enqueue(priority, 0)
    client = queues.connect("default", timeout=5)
    order = []
    while popped := queues.pop(client, queues.keys_of(["default"], ""), 1, 0):
        order += queues.split(popped[1])[0]
    args = [client_job_priority(pk) for pk in order]
    assert args == [100, 5, 0, -5, -100]
    assert {queue.name for queue in Queue.all(connection=client)} >= {"default", "default:+3", "default:-3"}


def client_job_priority(pk: int) -> int:
    from django_jobs import monitoring

    return monitoring.get(pk).priority


def test_a_bell_at_an_address_nobody_has_is_forgotten() -> None:
    queues.ring([(1, "default", 0)], address="old.1")
    queues.ring([(2, "default", 0)], address="new.1")
    queues.forget_addresses("default", ["new.1"])
    assert queues.waiting("default", ["old.1", "new.1"]) == {2}


def test_the_check_asks_for_the_queue_class() -> None:
    assert not [w for w in django_checks.run_checks() if w.id == "django_jobs.W001"]
    with override_settings(RQ={}):
        (warning,) = checks.check_neighbours(None)
    assert warning.id == "django_jobs.W001"
    assert "django_jobs.queues.JobQueue" in (warning.hint or "")


def test_workers_of_other_classes_are_still_rqs() -> None:
    assert Worker.count(connection=queues.connect("default", timeout=5)) == 0
