"""Recurring jobs by the REST API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import translation

from django_jobs.masking import HIDDEN
from django_jobs.models import Job, RecurringJob
from tests.api.conftest import AsUser, Caller
from tests.app.limited import refuses_twins

pytestmark = pytest.mark.django_db

TERMS: dict[str, Any] = {
    "id": "JOB001",
    "description": "Starts events",
    "job_type": "tests.adds",
    "args": [1, 2],
    "cron": "0-59 * * * MON,TUE,WED,THU,FRI",
    "time_zone": "EST",
}


def test_a_schedule_is_added_listed_changed_triggered_and_removed(root: Caller) -> None:
    code, told = root("post", "recurring-jobs/", TERMS)
    assert code == 201
    assert {name: told[name] for name in TERMS} == TERMS
    assert told["next_run"]
    assert (told["source"], told["enabled"]) == ("api", True)
    assert [row["id"] for row in root.get("recurring-jobs/")["results"]] == ["JOB001"]
    assert root("patch", "recurring-jobs/JOB001/", {"cron": "0 2 * * *"})[1]["cron"] == "0 2 * * *"
    code, job = root("post", "recurring-jobs/JOB001/trigger/")
    assert (code, job["job_type"], job["recurring_job"]) == (201, "tests.adds", "JOB001")
    assert [run["id"] for run in root.get("recurring-jobs/JOB001/runs/")["results"]] == [job["id"]]
    assert [run["id"] for run in root.get("jobs/?recurring_job=JOB001")["results"]] == [job["id"]]
    assert root("post", "recurring-jobs/JOB001/disable/")[1]["enabled"] is False
    assert root("post", "recurring-jobs/JOB001/enable/")[1]["enabled"] is True
    assert root("delete", "recurring-jobs/JOB001/")[0] == 204
    assert root("get", "recurring-jobs/JOB001/")[0] == 404
    assert Job.objects.filter(pk=job["id"]).exists()


def test_the_expression_is_told_in_words_of_the_language_asked_for(root: Caller) -> None:
    root("post", "recurring-jobs/", {**TERMS, "cron": "0 2 * * *"})
    with translation.override("pt-br"):
        assert root.get("recurring-jobs/JOB001/")["words"] == "Às 02:00"
    assert [row["words"] for row in root.get("recurring-jobs/")["results"]] == ["At 02:00"]
    RecurringJob.objects.update(cron="no cron")
    assert root.get("recurring-jobs/JOB001/")["words"] == ""


def test_the_same_id_updates_it_does_not_double(root: Caller, caller: AsUser) -> None:
    root("post", "recurring-jobs/", TERMS)
    assert root("post", "recurring-jobs/", {**TERMS, "cron": "@daily"})[0] == 200
    terms = {name: value for name, value in TERMS.items() if name != "id"}
    assert root("put", "recurring-jobs/JOB001/", terms)[0] == 200
    assert root("put", "recurring-jobs/JOB002/", terms)[0] == 201
    assert RecurringJob.objects.count() == 2
    assert caller("add_recurringjob")("post", "recurring-jobs/", TERMS)[0] == 403
    assert caller("change_recurringjob")("put", "recurring-jobs/JOB003/", terms)[0] == 403


def test_what_was_read_may_be_written_back(root: Caller, caller: AsUser) -> None:
    root("post", "recurring-jobs/", TERMS)
    told = root.get("recurring-jobs/JOB001/")
    names = ["id", "description", "job_type", "args", "kwargs", "cron", "time_zone", "queue", "misfire", "overlap"]
    same = {name: told[name] for name in [*names, "enabled", "expires"]}
    for method in ("put", "patch"):
        code, now = root(method, "recurring-jobs/JOB001/", same)
        assert (code, {name: now[name] for name in same}) == (200, same)
        code, problem = root(method, "recurring-jobs/JOB001/", {**same, "id": "other"})
        assert (code, problem["errors"][0]["field"]) == (400, "id")
    assert root("patch", "recurring-jobs/JOB001/", {"queue": None})[1]["queue"] == "default"


def test_when_its_runs_expire_is_told_and_kept(root: Caller) -> None:
    RecurringJob.objects.add_or_update("late", "tests.adds", cron="@daily", args=[1, 2], expires=timedelta(minutes=90))
    assert root.get("recurring-jobs/late/")["expires"] == 5400
    terms = {name: value for name, value in TERMS.items() if name != "id"}
    assert root("put", "recurring-jobs/late/", {**terms, "expires": 5400})[1]["expires"] == 5400
    assert root("patch", "recurring-jobs/late/", {"expires": 0.5})[1]["expires"] == 0.5
    assert RecurringJob.objects.get(pk="late").expires == timedelta(seconds=0.5)
    assert root("patch", "recurring-jobs/late/", {"expires": None})[1]["expires"] is None
    assert root("post", "recurring-jobs/", TERMS)[1]["expires"] is None


def test_sensitive_arguments_are_masked_and_a_mask_that_comes_back_changes_nothing(root: Caller) -> None:
    stored = {"args": [1, "open sesame"], "kwargs": {"pin": 4711}}
    terms = {"job_type": "tests.signs_in", "cron": "@daily", **stored}
    told = root("post", "recurring-jobs/", {**terms, "id": "signs"})[1]
    assert (told["args"], told["kwargs"]) == ([1, HIDDEN], {"pin": HIDDEN})
    assert root.get("recurring-jobs/")["results"][0]["args"] == [1, HIDDEN]
    for method, given in {
        "put": {**terms, "args": told["args"], "kwargs": told["kwargs"]},
        "patch": {"args": told["args"], "cron": "@weekly"},
    }.items():
        assert root(method, "recurring-jobs/signs/", given)[0] == 200
        row = RecurringJob.objects.get(pk="signs")
        assert (row.args, row.kwargs) == (stored["args"], stored["kwargs"])
    code, problem = root("patch", "recurring-jobs/signs/", {"args": [HIDDEN, "x"]})
    assert (code, problem["errors"][0]["field"]) == (400, "args[0]")


def test_what_broke_it_is_told_without_what_may_quote_arguments(root: Caller, caller: AsUser) -> None:
    root("post", "recurring-jobs/", TERMS)
    viewer = caller("view_recurringjob")
    RecurringJob.objects.update(error="ValueError: customer 4711")
    assert root.get("recurring-jobs/JOB001/")["error"] == "ValueError: customer 4711"
    assert viewer.get("recurring-jobs/JOB001/")["error"] == "ValueError"
    RecurringJob.objects.update(error="CronError: hour: '99' is too large")
    assert viewer.get("recurring-jobs/JOB001/")["error"] == "CronError: hour: '99' is too large"


def test_what_one_job_type_hides_is_not_handed_to_another(root: Caller) -> None:
    root("post", "recurring-jobs/", {**TERMS, "id": "signs", "job_type": "tests.signs_in", "args": [1, "open sesame"]})
    for method, given in {
        "patch": {"job_type": "tests.says"},
        "put": {"job_type": "tests.says", "args": [1, HIDDEN], "cron": "@daily"},
    }.items():
        code, problem = root(method, "recurring-jobs/signs/", given)
        assert (code, problem["errors"][0]["field"]) == (400, "args[1]")
    assert RecurringJob.objects.get(pk="signs").job_type == "tests.signs_in"
    assert root("patch", "recurring-jobs/signs/", {"job_type": "tests.says", "args": ["x"]})[1]["args"] == ["x"]
    assert root("put", "recurring-jobs/signs/", {"job_type": "tests.succeeds", "cron": "@daily"})[1]["args"] == []


def test_its_runs_are_for_those_who_may_see_jobs(root: Caller, caller: AsUser) -> None:
    root("post", "recurring-jobs/", TERMS)
    assert caller("view_recurringjob")("get", "recurring-jobs/JOB001/runs/")[0] == 403
    assert caller("view_job").get("recurring-jobs/JOB001/runs/")["results"] == []


def test_a_key_that_is_taken_is_not_told(root: Caller, caller: AsUser) -> None:
    RecurringJob.objects.add_or_update("twins", refuses_twins, cron="@daily", args=["secret"])
    _, first = root("post", "recurring-jobs/twins/trigger/")
    code, told = caller("trigger_recurringjob")("post", "recurring-jobs/twins/trigger/")
    assert (code, told["detail"]) == (409, f"Job {first['id']} has its unique key.")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "often"}, "cron"),
        ({"cron": "* " * 100}, "cron"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"job_type": "tests.unknown"}, "job_type"),
        ({"args": [1]}, "args"),
        ({"args": "1"}, "args"),
        ({"misfire": "never"}, "misfire"),
        ({"overlap": "maybe"}, "overlap"),
        ({"jitter": -1}, "jitter"),
        ({"expires": 0}, "expires"),
        ({"id": "a/b"}, "id"),
        ({"id": ""}, "id"),
        ({"queue": "nowhere"}, "queue"),
        ({"zone": "UTC"}, "zone"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(root: Caller, change: dict[str, Any], named: str) -> None:
    code, told = root("post", "recurring-jobs/", {**TERMS, **change})
    assert (code, told["errors"][0]["field"]) == (400, named)
    assert not RecurringJob.objects.exists()


def test_pages_by_id(root: Caller) -> None:
    for number in range(3):
        root("post", "recurring-jobs/", {**TERMS, "id": f"job {number}"})
    first = root.get("recurring-jobs/?page_size=2")
    assert [row["id"] for row in first["results"]] == ["job 0", "job 1"]
    assert [row["id"] for row in root.get("recurring-jobs/?page_size=2&after=job+1")["results"]] == ["job 2"]
    assert first["next"].endswith("after=job+1&page_size=2")


@pytest.mark.parametrize("path", ["", "runs/", "next-runs/", "?x=1"])
def test_an_id_that_no_database_takes_is_not_found(root: Caller, path: str) -> None:
    assert root("get", f"recurring-jobs/a%00b/{path}")[0] == 404
    assert root("put", "recurring-jobs/%00/", {**TERMS})[0] == root("delete", "recurring-jobs/%00/")[0] == 404
