"""The same request twice, one after the other and at once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from django_jobs import clock
from django_jobs.models import IdempotencyKey, Job
from django_jobs.server import cleaner
from tests.api.conftest import AsUser, Caller
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)

CALL = {"job_type": "tests.adds", "args": [1, 2]}
KEY = {"Idempotency-Key": "order-7"}


def aged(**span: float) -> None:
    IdempotencyKey.objects.update(created_at=clock.now() - timedelta(**span))


def test_the_same_request_makes_its_jobs_once(root: Caller) -> None:
    first, second = (root("post", "jobs/", CALL, **KEY) for _ in range(2))
    assert first == second
    assert first[0] == 201
    many = {"jobs": [CALL, {**CALL, "args": [3, 4]}]}
    first, second = (root("post", "jobs/bulk/", many, **{"Idempotency-Key": "b"}) for _ in range(2))
    assert first == second
    assert Job.objects.count() == 3


def test_the_order_of_a_bodys_fields_makes_no_other_request(root: Caller) -> None:
    _, first = root("post", "jobs/", CALL, **KEY)
    _, second = root("post", "jobs/", dict(reversed(CALL.items())), **KEY)
    assert first["id"] == second["id"]


def test_the_key_of_another_request_is_refused(root: Caller) -> None:
    root("post", "jobs/", CALL, **KEY)
    assert root("post", "jobs/", {**CALL, "args": [1, 3]}, **KEY)[0] == 422
    assert root("post", "jobs/bulk/", {"jobs": [CALL]}, **KEY)[0] == 422
    assert Job.objects.count() == 1


def test_users_do_not_share_keys(caller: AsUser) -> None:
    ids = {caller("enqueue_job")("post", "jobs/", CALL, **KEY)[1]["id"] for _ in range(2)}
    assert len(ids) == 2


def test_what_was_refused_uses_no_key_up(root: Caller) -> None:
    assert root("post", "jobs/", {**CALL, "args": [1]}, **KEY)[0] == 400
    assert not IdempotencyKey.objects.exists()
    assert root("post", "jobs/", CALL, **KEY)[0] == 201


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201, "\x00"])
def test_a_key_that_cannot_be_is_refused(root: Caller, key: str) -> None:
    code, told = root("post", "jobs/", CALL, **{"Idempotency-Key": key})
    assert (code, told["errors"][0]["field"]) == (400, "Idempotency-Key")
    assert not Job.objects.exists()


def test_a_key_is_forgotten_after_a_day(root: Caller) -> None:
    _, first = root("post", "jobs/", CALL, **KEY)
    aged(hours=23)
    assert root("post", "jobs/", CALL, **KEY)[1]["id"] == first["id"]
    aged(hours=25)
    assert root("post", "jobs/", CALL, **KEY)[1]["id"] != first["id"]
    cleaner.clean()
    assert IdempotencyKey.objects.count() == 1
    aged(hours=25)
    cleaner.clean()
    assert not IdempotencyKey.objects.exists()


def test_jobs_that_are_gone_are_not_made_again(root: Caller) -> None:
    _, told = root("post", "jobs/", CALL, **KEY)
    Job.objects.all().delete()
    code, problem = root("post", "jobs/", CALL, **KEY)
    assert (code, str(told["id"]) in problem["detail"]) == (409, True)
    assert not Job.objects.exists()


def at_once(user: User, path: str, body: Any, number: int = 8) -> list[tuple[int, Any]]:
    """The answers to so many same requests that are sent at one moment."""
    gate, answers = threading.Barrier(number), []

    def send() -> None:
        client = Client()
        client.force_login(user)
        gate.wait(20)
        answer = client.post(path, json.dumps(body), content_type="application/json", headers=KEY)
        answers.append((answer.status_code, json.loads(answer.content)))
        connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.parametrize("good", [True, False])
def test_same_requests_at_once_make_one_set_of_jobs(root: Caller, good: bool) -> None:
    assert root.user is not None
    last = CALL if good else {**CALL, "args": [1]}
    answers = at_once(root.user, "/api/jobs/bulk/", {"jobs": [CALL, CALL, last]})
    assert [code for code, _ in answers] == [201 if good else 400] * 8
    if good:
        assert len({tuple(job["id"] for job in told) for _, told in answers}) == 1
    assert Job.objects.count() == (3 if good else 0)


def test_a_unique_key_answers_the_job_that_is_there(root: Caller) -> None:
    body = {**CALL, "unique_key": "k", "unique_for": 60}
    code, first = root("post", "jobs/", body)
    assert code == 201
    code, second = root("post", "jobs/", body)
    assert (code, second["id"]) == (200, first["id"])
    code, told = root("post", "jobs/", {**body, "on_duplicate": "raise"})
    assert (code, str(first["id"]) in told["detail"]) == (409, True)


def test_calls_wait_for_others(root: Caller) -> None:
    parent = succeeds.enqueue()
    code, told = root("post", "jobs/", {**CALL, "after": [parent.pk], "on": "any", "headers": {"trace": "x"}})
    assert (code, told["state"]) == (201, "awaiting")
    detail = root.get(f"jobs/{told['id']}/")
    assert detail["parents"] == [{"job": parent.pk, "batch": None, "on": "any", "met": None}]
    assert detail["headers"] == {"trace": "x"}
    assert root.get(f"jobs/{parent.pk}/")["children"][0]["job"] == told["id"]
    for wrong in ({"after": [99999999]}, {"after": ["x"]}, {"after_batches": [99999999]}):
        assert root("post", "jobs/", {**CALL, **wrong})[0] == 400
    assert root("post", "jobs/", {**CALL, "on": "any"})[1]["errors"][0]["field"] == "on"
