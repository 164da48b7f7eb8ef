"""Jobs by the REST API."""

from __future__ import annotations

import json
from contextlib import nullcontext
from threading import BoundedSemaphore
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError, connection, transaction

from django_jobs import Filter, JobContext, client, monitoring, states
from django_jobs.api import waiting
from django_jobs.api.pagination import WindowedPages
from django_jobs.console import outbox
from django_jobs.models import Job, RecurringJob
from django_jobs.states import machine
from django_jobs.states.filters import Creation
from django_jobs.states.moves import Target
from tests.api.conftest import AsUser, Caller
from tests.app.jobs import adds, succeeds
from tests.conformance.test_search import SLOW
from tests.dashboard.conftest import WORKER, claim, finish

pytestmark = pytest.mark.django_db(transaction=True)

JOB = {"job_type": "tests.succeeds"}


def field(told: dict[str, Any]) -> str:
    return str(told["errors"][0]["field"])


def test_a_job_is_enqueued_with_its_options(root: Caller) -> None:
    body = {
        "job_type": "tests.adds",
        "args": [1],
        "kwargs": {"y": 2},
        "queue": "critical",
        "priority": 7,
        "tags": ["a"],
    }
    code, told = root("post", "jobs/", body)
    assert code == 201
    job = Job.objects.get(pk=told["id"])
    assert (job.args, job.kwargs, job.queue, job.priority, job.tags) == ([1], {"y": 2}, "critical", 7, ["a"])
    assert (told["state"], told["created_by"], job.created_by) == ("enqueued", "root", root.user)


def test_a_delay_makes_it_scheduled(root: Caller) -> None:
    _, told = root("post", "jobs/", {"job_type": "tests.succeeds", "delay": 3600})
    assert told["state"] == "scheduled"
    assert told["scheduled_at"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "job_type"),
        ({"job_type": "tests.unknown"}, "job_type"),
        ({"job_type": "tests.adds", "args": [1]}, "args"),
        ({"job_type": "tests.adds", "args": {"x": 1}}, "args"),
        ({"job_type": "tests.adds", "kwargs": [1]}, "kwargs"),
        ({"job_type": "tests.succeeds", "queue": "nowhere"}, "queue"),
        ({"job_type": "tests.succeeds", "priority": 101}, "priority"),
        ({"job_type": "tests.succeeds", "priority": "high"}, "priority"),
        ({"job_type": "tests.succeeds", "tags": "a"}, "tags"),
        ({"job_type": "tests.succeeds", "run_after": "tomorrow"}, "run_after"),
        ({"job_type": "tests.succeeds", "delay": 1, "run_after": "2030-01-01T00:00:00Z"}, "delay"),
        ({"job_type": "tests.succeeds", "delay": -1}, "delay"),
        ({"job_type": "tests.succeeds", "delay": True}, "delay"),
        ({"job_type": "tests.succeeds", "delays": 5}, "delays"),
        ({"job_type": "tests.adds", "args": [1, "\x00"]}, "args[1]"),
        ({"job_type": "tests.succeeds", "kwargs": {"value": {"a": ["\x00"]}}}, "kwargs.value.a[0]"),
        ({"job_type": "tests.succeeds", "headers": {"value": "\x00"}}, "headers.value"),
        ({"job_type": "tests.succeeds", "\ud800": 1}, "?"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(root: Caller, body: dict[str, Any], named: str) -> None:
    code, told = root("post", "jobs/", body)
    assert (code, field(told)) == (400, named)
    assert not Job.objects.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '"a"', '{"args": NaN}', "[" * 100_000, "9" * 5000, "\xff"])
def test_a_body_that_is_no_object_is_refused(root: Caller, text: str) -> None:
    answer = root.client.post("/api/jobs/", text, content_type="application/json")
    assert answer.status_code == 400
    assert json.loads(answer.content)["status"] == 400


@pytest.mark.parametrize(
    ("method", "path", "body", "named", "expected"),
    [
        ("get", "jobs/?state=failed,gone", None, "state", "is 'gone'; give scheduled, awaiting,"),
        ("post", "jobs/", {**JOB, "after": [1], "on": "never"}, "on", "is 'never'; give succeeded, any, deleted"),
        ("post", "jobs/", {**JOB, "on_duplicate": [1]}, "on_duplicate", "is [1]; give return, raise"),
        ("post", "jobs/", {**JOB, "headers": []}, "headers", "is no JSON object"),
        ("post", "queues/default/pause/", {"seconds": 9, "until": "2030-01-01T00:00:00Z"}, "seconds", "one of them"),
    ],
)
def test_an_error_says_what_was_expected(
    root: Caller, method: str, path: str, body: Any, named: str, expected: str
) -> None:
    code, told = root(method, path, body)
    assert (code, field(told)) == (400, named)
    assert expected in told["errors"][0]["message"]


def test_a_body_that_is_too_large_is_not_read(root: Caller, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    code, _ = root("post", "jobs/", {"job_type": "tests.succeeds", "tags": ["x" * 50] * 30})
    assert code == 413


def test_arguments_beyond_the_payload_limit_are_refused(root: Caller, settings: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "MAX_PAYLOAD": 100}
    for path, terms in {"jobs/": {}, "recurring-jobs/": {"id": "big", "cron": "@daily"}}.items():
        code, told = root("post", path, {"job_type": "tests.adds", "args": ["x" * 200, 1], **terms})
        assert (code, field(told)) == (400, "args")
    assert not Job.objects.exists()
    assert not RecurringJob.objects.exists()


def test_a_set_is_all_or_nothing(root: Caller) -> None:
    good, bad = {"job_type": "tests.adds", "args": [1, 2]}, {"job_type": "tests.adds", "args": [1]}
    code, told = root("post", "jobs/bulk/", {"jobs": [good, good, bad]})
    assert (code, field(told)) == (400, "jobs[2].args")
    assert not Job.objects.exists()
    code, told = root("post", "jobs/bulk/", {"jobs": [good, {**good, "delay": 60}]})
    assert (code, [job["state"] for job in told]) == (201, ["enqueued", "scheduled"])


def test_a_set_has_a_limit(root: Caller) -> None:
    code, told = root("post", "jobs/bulk/", {"jobs": [{"job_type": "tests.succeeds"}] * 1001})
    assert code == 400
    assert "1000" in told["detail"]


def test_the_list_is_filtered(root: Caller) -> None:
    one = adds.using(tags=["acme", 'ä"b'], queue="critical", created_by=root.user).enqueue(7, y=8)
    two = succeeds.enqueue()
    claim(two)
    finish(two)
    for query in [
        "state=enqueued",
        "state=enqueued,failed",
        "job_type=tests.adds",
        "queue=critical",
        "user=root",
        "tag=acme",
        "tag=%C3%A4%22b",
        "arg=0:7",
        "arg=y:8",
        "search=adds",
        f"created_after={one.created_at.isoformat().replace('+', '%2B')}&state=enqueued",
    ]:
        assert [job["id"] for job in root.get(f"jobs/?{query}")["results"]] == [one.pk], query
    for query in ["tag=acm", "arg=y:9", "arg=y:%228%22x", "arg=z:8", "user=roo", "created_before=2000-01-01T00:00:00Z"]:
        assert root.get(f"jobs/?{query}")["results"] == [], query


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("state=gone", "state"),
        ("arg=7", "arg"),
        ("page_size=0", "page_size"),
        ("page_size=x", "page_size"),
        ("cursor=!", "cursor"),
        ("ordering=priority", "ordering"),
        ("created_after=soon", "created_after"),
        ("batch=x", "batch"),
        ("user=%00", "user"),
        ("arg=password:x", "arg"),
        ("q=metadata.api_key:x", "q"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(root: Caller, query: str, named: str) -> None:
    code, told = root("get", f"jobs/?{query}")
    assert (code, field(told)) == (400, named)


def pages(root: Caller, path: str) -> list[list[int]]:
    found = []
    link: str | None = path
    while link:
        told = root.get(link)
        found.append([job["id"] for job in told["results"]])
        link = told["next"] and urlsplit(told["next"]).path.removeprefix("/api/") + "?" + urlsplit(told["next"]).query
    return found


def test_following_the_pages_sees_every_match(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "WINDOW", 3)
    wanted = [adds.enqueue(1, 1).pk if number % 4 == 0 else succeeds.enqueue().pk for number in range(10)][::4]
    for ordering, expected in (("-id", wanted[::-1]), ("id", wanted)):
        seen = pages(root, f"jobs/?arg=0:1&page_size=1&ordering={ordering}")
        assert [one for page in seen for one in page] == expected
    assert sum(map(len, pages(root, "jobs/?page_size=2"))) == 10


def test_verbs_move_the_job_and_say_where_they_cannot(root: Caller) -> None:
    job = succeeds.enqueue()
    assert root("post", f"jobs/{job.pk}/pause/")[1]["state"] == "paused"
    assert root("post", f"jobs/{job.pk}/resume/")[1]["state"] == "enqueued"
    assert root("post", f"jobs/{job.pk}/reschedule/", {"delay": 60})[1]["state"] == "scheduled"
    assert root("post", f"jobs/{job.pk}/requeue/")[1]["state"] == "enqueued"
    told = root("post", f"jobs/{job.pk}/cancel/")[1]
    assert (told["state"], told["reason"]) == ("deleted", "Cancelled by root")
    code, told = root("post", f"jobs/{job.pk}/cancel/")
    assert code == 409
    assert "deleted" in told["detail"]
    assert root("delete", f"jobs/{succeeds.enqueue().pk}/")[0] == 204
    assert root("post", f"jobs/{job.pk}/reschedule/", {})[0] == 400
    assert root("post", f"jobs/{job.pk}/cancel/", {"forced": True})[0] == 400


def test_history_and_console(root: Caller) -> None:
    job = succeeds.enqueue()
    claim(job)
    finish(job, result=5)
    assert [entry["name"] for entry in root.get(f"jobs/{job.pk}/states/")] == ["enqueued", "processing", "succeeded"]
    assert root.get(f"jobs/{job.pk}/console/") == {"lines": [], "progress": []}


def test_a_console_is_read_on_from_a_line_by_who_may_see_payloads(root: Caller, caller: AsUser) -> None:
    job = succeeds.enqueue()
    claim(job)
    ctx = JobContext(job.pk, job.job_type, job.queue, 1, 1, WORKER)
    ctx.log("first", "warning")
    ctx.log("second")
    ctx.progress_bar("rows", 4).set(1)
    outbox.flush()
    told = root.get(f"jobs/{job.pk}/console/?after=1")
    assert [(line["number"], line["level"], line["text"]) for line in told["lines"]] == [(2, "info", "second")]
    bars = [{"name": "rows", "run": 1, "value": 1.0, "total": 4.0}]
    assert told["progress"] == bars
    assert caller("view_job").get(f"jobs/{job.pk}/console/") == {"lines": [], "progress": bars}


def test_waiting_gives_the_job_as_it_is_in_the_end(root: Caller) -> None:
    job = succeeds.enqueue()
    assert root.get(f"jobs/{job.pk}/?wait=0.05")["state"] == "enqueued"
    claim(job)
    finish(job, result=5)
    assert root.get(f"jobs/{job.pk}/?wait=10")["result"] == 5
    assert root("get", f"jobs/{job.pk}/?wait=1000")[0] == 400


def test_a_process_has_places_for_some_waiting_requests(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    job = succeeds.enqueue()
    places = BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "places", places)
    for _ in range(2):  # each gives its place back
        assert root("get", f"jobs/{job.pk}/?wait=0.05")[0] == 200
    assert places.acquire(blocking=False)
    answer = root.client.get(f"/api/jobs/{job.pk}/?wait=0.05")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "6")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert root("get", f"jobs/{job.pk}/")[0] == 200
    claim(job)
    finish(job)
    assert root("get", f"jobs/{job.pk}/?wait=10")[0] == 200


def test_a_wait_that_breaks_gives_its_place_back(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    places = BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "places", places)
    monkeypatch.setattr(client, "wait", Mock(side_effect=OperationalError))
    with pytest.raises(OperationalError):
        root("get", f"jobs/{succeeds.enqueue().pk}/?wait=1")
    assert places.acquire(blocking=False)


@pytest.mark.parametrize("inside", [False, True])
def test_a_waiting_request_holds_no_connection_but_in_a_transaction(
    root: Caller, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    job, held = succeeds.enqueue(), []
    pause = client._until_ended

    def looked_at(*args: Any) -> None:
        held.append(connection.connection is not None)
        pause(*args)

    monkeypatch.setattr(client, "_until_ended", looked_at)
    with transaction.atomic() if inside else nullcontext():
        assert root.get(f"jobs/{job.pk}/?wait=1.5")["state"] == "enqueued"
    assert set(held) == {inside}


@pytest.mark.parametrize("path", ["jobs/99999/", "jobs/99999/states/", "jobs/999999999999999999/"])
def test_what_does_not_exist_is_not_found(root: Caller, path: str) -> None:
    assert root("get", path)[0] == 404


def test_payloads_are_for_those_who_may_see_them(caller: AsUser) -> None:
    job = adds.enqueue(1, 2)
    claim(job)
    failed = succeeds.enqueue()
    claim(failed)
    finish(
        failed, state=states.FAILED, reason="ValueError: secret", data={"exception": "ValueError", "message": "secret"}
    )
    viewer = caller("view_job")
    told = viewer.get(f"jobs/{job.pk}/")
    assert (told["args"], told["kwargs"], told["result"]) == (None, None, None)
    assert "secret" not in json.dumps([viewer.get(f"jobs/{failed.pk}/"), viewer.get(f"jobs/{failed.pk}/states/")])
    assert viewer("get", "jobs/?arg=0:1")[0] == 403
    assert viewer("get", "jobs/?metadata=customer:7")[0] == 403
    assert viewer.get("jobs/?search=secret")["results"] == []
    seer = caller("view_job", "view_payload_job")
    assert seer.get(f"jobs/{job.pk}/")["args"] == [1, 2]
    assert "secret" in json.dumps(seer.get(f"jobs/{failed.pk}/"))


def test_an_error_inside_a_set_names_the_entry(root: Caller) -> None:
    code, told = root("post", "jobs/bulk/", {"jobs": [{"job_type": "tests.succeeds"}, {"job_type": 3, "color": "red"}]})
    assert (code, {error["field"] for error in told["errors"]}) == (400, {"jobs[1].color"})


class Refuses(Filter):
    def creating(self, creation: Creation) -> None:
        creation.cancel("out of hours")


class Breaks(Filter):
    def applied(self, changes: Any) -> None:
        raise ValueError("secret")


def test_what_a_filter_refuses_is_a_conflict(root: Caller, settings: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": [f"{__name__}.Refuses"]}
    for path, body in (("jobs/", JOB), ("jobs/bulk/", {"jobs": [JOB]})):
        code, told = root("post", path, body)
        assert (code, "out of hours" in told["detail"]) == (409, True)
    assert not Job.objects.exists()


def test_a_filter_that_raises_undoes_the_verb(root: Caller, settings: Any) -> None:
    job = succeeds.enqueue()
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": [f"{__name__}.Breaks"]}
    code, told = root("post", f"jobs/{job.pk}/cancel/")
    assert (code, "Breaks" in told["detail"], "secret" in told["detail"]) == (409, True, False)
    job.refresh_from_db()
    assert job.state == "enqueued"


def test_keys_made_of_arguments_are_payload(caller: AsUser) -> None:
    job = succeeds.using(unique_key="customer-7-secret", concurrency_key="customer-7-secret").enqueue()
    waits = Target(states.AWAITING, "Waits for 1 at a time: customer-7-secret")
    machine.move([job.pk], waits, expected={states.ENQUEUED})
    viewer, seer = caller("view_job"), caller("view_job", "view_payload_job")
    assert "secret" not in json.dumps([viewer.get(f"jobs/{job.pk}/"), viewer.get(f"jobs/{job.pk}/states/")])
    assert "secret" not in json.dumps(viewer.get("jobs/"))
    assert seer.get(f"jobs/{job.pk}/")["unique_key"] == "customer-7-secret"


def test_a_search_that_takes_too_long_is_ended_by_the_database(
    root: Caller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*args: Any, **options: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(SLOW[connection.vendor])
            return cursor.fetchall()

    succeeds.enqueue()
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "SEARCH_TIMEOUT": 0.2}
    with monkeypatch.context() as patch:
        patch.setattr(WindowedPages, "paginate_queryset", slow)
        code, told = root("get", "jobs/?q=args.x:1")
    assert (code, told["title"]) == (503, "It cannot be answered at the moment")
    assert "Narrow it" in told["detail"]
    assert len(root.get("jobs/")["results"]) == 1
