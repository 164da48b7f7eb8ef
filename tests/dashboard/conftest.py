"""Jobs in every state, made by the client and the machine, and users who may do different things."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from django_jobs import client, clock, states
from django_jobs.models import Job, Server
from django_jobs.states import machine
from django_jobs.states.statements import Finish, Then
from tests.app.jobs import fails, succeeds

WORKER = "test-host:1.1"
TRACEBACK = 'Traceback (most recent call last):\n  File "shop/jobs.py", line 7, in charge\nValueError: no <b>card</b>'

AsUser = Callable[..., Client]


def claim(*jobs: Job) -> None:
    """Let a worker take the jobs."""
    machine.claim([job.pk for job in jobs], ["tests.succeeds", "tests.fails", "tests.adds"], WORKER)


def finish(*jobs: Job, state: str = states.SUCCEEDED, result: Any = None, data: Any = None, reason: str = "") -> None:
    """Let the worker end its run of the jobs."""
    now = clock.now()
    failed = int(state == states.FAILED)
    text, told = json.dumps(result), json.dumps({"seconds": 0.25, **(data or {})})
    started = now - timedelta(seconds=0.25)
    keep = timedelta(days=1)
    runs = dict(Job.objects.filter(pk__in=[job.pk for job in jobs]).values_list("pk", "run"))
    machine.acknowledge(
        [Finish(pk, run, state, reason, started, now, text, told, keep, failed) for pk, run in runs.items()], WORKER
    )


def succeeded(*args: Any, result: Any = None, **options: Any) -> Job:
    job = succeeds.using(**options).enqueue(*args)
    claim(job)
    finish(job, result=result)
    return fresh(job)


def failed(
    message: str = "no card", *, traceback: str = TRACEBACK, reason: str = "ValueError: no card", **options: Any
) -> Job:
    job = fails.using(**options).enqueue(message)
    claim(job)
    finish(
        job,
        state=states.FAILED,
        data={"exception": "ValueError", "message": message, "traceback": traceback},
        reason=reason,
    )
    return fresh(job)


def retrying(reason: str = "Retry 1 of 3: ValueError: no card", due: timedelta = timedelta(hours=1)) -> Job:
    """A job whose first attempt failed, and that waits for the next."""
    job = fails.enqueue("x")
    claim(job)
    now = clock.now()
    then = Then(states.SCHEDULED, reason, now + due, None)
    error = '{"exception": "ValueError", "message": "no card"}'
    ended = Finish(job.pk, 1, states.FAILED, "ValueError: no card", now, now, None, error, None, 1, "tests.fails")
    machine.acknowledge([ended._replace(then=then)], WORKER)
    return fresh(job)


def in_state(state: str) -> Job:
    """A job in that state, brought there by legal moves."""
    match state:
        case states.SUCCEEDED:
            return succeeded("value")
        case states.FAILED:
            return failed()
        case states.SCHEDULED:
            return succeeds.schedule(timedelta(hours=1), "later")
    job = succeeds.enqueue("value")
    if state == states.PROCESSING:
        claim(job)
    elif state == states.DELETED:
        client.cancel([job.pk])
    elif state != states.ENQUEUED:
        machine.move([job.pk], machine.Target(state), expected=[states.ENQUEUED])
    return fresh(job)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def server(name: str, *, alive: bool = True, workers: int = 2) -> Server:
    """A `runjobs` with a scheduler and workers."""
    now = clock.now()
    beat = now if alive else now - timedelta(minutes=5)
    common = {"host": "test-host", "version": "0.1", "queues": ["default"], "started_at": now, "heartbeat_at": beat}
    parent = Server.objects.create(name=name, kind="supervisor", pid=10, slots=workers, busy=1, **common)
    Server.objects.create(name=f"{name}.scheduler", kind="scheduler", pid=11, parent=parent, **common)
    for number in range(workers):
        Server.objects.create(name=f"{name}.{number}", kind="worker", pid=12 + number, slots=1, parent=parent, **common)
    return parent


def user_with(permissions: Sequence[str], *, username: str = "", **fields: Any) -> Any:
    name = username or "-".join(permissions) or "nobody"
    user = get_user_model().objects.create_user(name, is_staff=True, **fields)
    found = Permission.objects.filter(content_type__app_label="django_jobs", codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    return user


@pytest.fixture
def as_user(db: None) -> AsUser:
    """A browser in which a staff user with these permissions is signed in."""

    def signed_in(*permissions: str, **fields: Any) -> Client:
        browser = Client()
        browser.force_login(user_with(permissions, **fields))
        return browser

    return signed_in


@pytest.fixture
def as_root(db: None) -> Client:
    """A browser in which a superuser is signed in."""
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser("root"))
    return browser
