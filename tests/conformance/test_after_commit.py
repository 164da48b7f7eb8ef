"""What follows a commit may fail: it is logged, and takes neither the caller nor what else follows with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from django_jobs import events, queues, signals
from django_jobs.models import Job, Limit
from django_jobs.policies import continuations, limits
from django_jobs.registry import registry
from django_jobs.states import machine
from django_jobs.tasks_backend.running import TaskRuns
from tests.app.jobs import adds, succeeds
from tests.app.limited import one_per_customer, three_in_two_seconds
from tests.app.tasks import tasks
from tests.conformance.test_machine import ME

pytestmark = pytest.mark.django_db(transaction=True)


def claim(*jobs: Job) -> None:
    machine.claim([one.pk for one in jobs], registry.names(), ME)


def goes_over_a_limit() -> Callable[[], Any]:
    jobs = one_per_customer.enqueue_many([("c",)] * 2)
    return lambda: claim(*jobs)


def waits_for_a_span() -> Callable[[], Any]:
    claim(*three_in_two_seconds.enqueue_many([()] * 4))
    keys = list(Limit.objects.values_list("key", flat=True))
    return lambda: limits.look(keys)


def waits_for_another() -> Callable[[], Any]:
    parent = adds.enqueue(1, 1)
    return lambda: parent.then(succeeds)


def is_cancelled_while_it_runs() -> Callable[[], Any]:
    job = adds.enqueue(1, 1)
    claim(job)
    return job.cancel


def is_created() -> Callable[[], Any]:
    return lambda: adds.enqueue(1, 1)


def is_cancelled() -> Callable[[], Any]:
    return adds.enqueue(1, 1).cancel


def is_cancelled_as_a_task() -> Callable[[], Any]:
    return Job.objects.get(pk=tasks.succeeds.enqueue().id).cancel


HOOKS: list[tuple[Any, str, Callable[[], Callable[[], Any]]]] = [
    (limits, "look", goes_over_a_limit),
    (events, "publish", waits_for_a_span),
    (continuations, "_settle_apart", waits_for_another),
    (queues, "send", is_cancelled_while_it_runs),
    (queues, "ring", is_created),
    (signals, "_send_created", is_created),
    (signals, "_send_changes", is_cancelled),
    (TaskRuns, "_tell", is_cancelled_as_a_task),
]


@pytest.fixture
def _heard() -> Iterator[None]:
    def receiver(**facts: Any) -> None: ...

    both = (signals.job_created, signals.state_changed)
    for signal in both:
        signal.connect(receiver)
    yield
    for signal in both:
        signal.disconnect(receiver)


@pytest.mark.usefixtures("_heard")
@pytest.mark.parametrize(("owner", "name", "prepare"), HOOKS, ids=[prepare.__name__ for _, _, prepare in HOOKS])
def test_what_fails_after_a_commit_is_logged_and_stops_nothing_else(
    owner: Any,
    name: str,
    prepare: Callable[[], Callable[[], Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def breaks(*_: Any, **__: Any) -> None:
        raise RuntimeError("broken")

    act, followed = prepare(), []
    monkeypatch.setattr(owner, name, breaks)
    with transaction.atomic():
        act()
        transaction.on_commit(lambda: followed.append(name))
    assert followed == [name]
    assert "in on_commit() during transaction (broken)." in caplog.text
