"""Runs, tracebacks and the timeline: what happened, bounded however long it was."""

from __future__ import annotations

import html
import json
import re
import sysconfig
import traceback

import pytest
from django.test import Client

from django_jobs import client, clock, execution, monitoring, states
from django_jobs.dashboard import tracebacks
from django_jobs.models import Job, JobState
from django_jobs.states import machine
from tests.app.jobs import fails, succeeds
from tests.dashboard.conftest import AsUser, claim, failed, finish

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/django_jobs/job/"


def shown(browser: Client, job: Job, query: str = "") -> str:
    answer = browser.get(f"{LIST}{job.pk}/change/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def raised() -> str:
    try:
        json.loads("{<b>")
    except ValueError as error:
        return "".join(traceback.format_exception(error))
    raise AssertionError


def test_a_traceback_keeps_its_text_and_shows_whose_code_it_is() -> None:
    text = raised()
    marked = tracebacks.marked(text)
    assert html.unescape(re.sub("<[^>]+>", "", marked)) == text
    own = re.findall(r'<span class="dj-frame dj-own">.*?<span class="dj-function">(\w+)</span>', marked)
    foreign = re.findall(r'<span class="dj-frame">.*?<span class="dj-function">(\w+)</span>', marked)
    assert own == ["raised"]
    assert foreign == ["loads", "decode", "raw_decode"]
    assert '<span class="dj-head">Traceback' in marked
    assert '<span class="dj-raised">json.decoder.JSONDecodeError' in marked


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("/srv/shop/jobs.py", True),
        ("shop/jobs.py", True),
        ("/srv/venv/lib/python3.12/site-packages/requests/api.py", False),
        ("/usr/lib/python3/dist-packages/x.py", False),
        (f"{sysconfig.get_paths()['stdlib']}/json/decoder.py", False),
        (execution.__file__, False),
        ("<frozen runpy>", False),
    ],
)
def test_files_of_the_site_are_told_from_libraries(file: str, own: bool) -> None:
    assert tracebacks.is_own(file) is own


def test_groups_and_causes_of_errors_lose_no_line() -> None:
    try:
        try:
            raise ExceptionGroup("two", [ValueError("a\n\nb"), TypeError("c")])
        except ExceptionGroup as group:
            raise RuntimeError("after") from group
    except RuntimeError as error:
        text = "".join(traceback.format_exception(error))
    marked = tracebacks.marked(text)
    assert html.unescape(re.sub("<[^>]+>", "", marked)) == text
    assert marked.count('class="dj-head"') >= 2


def test_each_run_tells_how_it_ended(as_root: Client) -> None:
    job = failed()
    client.requeue([job.pk])
    claim(job)
    machine.give_back([(job.pk, 2)], "test-host:1.1", "Put back")
    claim(job)
    text = shown(as_root, job)
    runs = text.split('<details class="dj-run" ')[1:]
    assert [re.search(r'data-run="(\d)"', run)[1] for run in runs] == ["1", "2", "3"]  # type: ignore[index]
    assert [
        re.search(r"dj-badge (dj-state-\w+)", run)[1]  # type: ignore[index]
        for run in runs
    ] == ["dj-state-failed", "dj-state-enqueued", "dj-state-processing"]
    assert "250 ms" in runs[0]
    assert "Its traceback is shown above" in runs[0]
    assert "Put back" in runs[1]
    assert all("test-host:1.1" in run for run in runs)


def test_a_viewer_sees_runs_but_not_their_errors(as_user: AsUser) -> None:
    job = failed("s3cret", traceback="Traceback s3cret", reason="ValueError: s3cret")
    text = shown(as_user("view_job"), job)
    assert 'data-run="1"' in text
    assert "ValueError" in text
    assert "s3cret" not in text
    assert "Its traceback is shown above" not in text


def long_past(job: Job, changes: int) -> None:
    now = clock.now()
    JobState.objects.bulk_create(
        JobState(job=job, name=states.SCHEDULED, reason=f"change {number}.", created_at=now)
        for number in range(changes)
    )


def test_a_long_history_is_shown_in_parts(as_root: Client) -> None:
    job = fails.enqueue()
    long_past(job, 120)
    newest = shown(as_root, job)
    assert newest.count('class="dj-step ') == 50
    assert "change 119." in newest
    assert "change 69." not in newest
    seen = re.findall(r"change \d+\.", newest)
    page = newest
    while link := re.search(r'class="dj-earlier" href="(\?before=\d+)#', page):
        page = shown(as_root, job, link[1])
        seen += re.findall(r"change \d+\.", page)
    assert seen == [f"change {number}." for number in reversed(range(120))]
    assert page.count('class="dj-step ') == 21, "with the creation"
    assert "To the newest changes" in page
    assert as_root.get(f"{LIST}{job.pk}/change/?before=x").status_code == 400
    assert json.loads(as_root.get(f"{LIST}{job.pk}/json/").content)["earlier"] is True


def test_the_last_error_is_the_last_one_beside_an_earlier_part_of_the_history_too(as_root: Client) -> None:
    job = failed("first", reason="ValueError: first")
    for _ in range(30):
        client.requeue([job.pk])
        client.cancel([job.pk])
    client.requeue([job.pk])
    claim(job)
    told = {"exception": "ValueError", "message": "latest", "traceback": "…"}
    finish(job, state=states.FAILED, data=told, reason="ValueError: latest")
    newest = shown(as_root, job)
    link = re.search(r'class="dj-earlier" href="([^#]*)#', newest)
    assert link is not None
    for page in (newest, shown(as_root, job, link[1])):
        assert "<strong>ValueError</strong>: latest" in page


def test_the_api_tells_a_long_history_in_parts(as_root: Client) -> None:
    job = succeeds.enqueue()
    long_past(job, 450)
    way, seen = f"/api/jobs/{job.pk}/states/", []
    for _ in range(3):
        answer = as_root.get(way)
        seen = [*answer.json(), *seen]
        way = re.sub(r"^<([^>]*)>.*", r"\1", answer.headers.get("Link", ""))
    assert way == ""
    assert [entry["reason"] for entry in seen] == ["", *(f"change {number}." for number in range(450))]
    assert seen[0]["id"] is None
    assert as_root.get(f"/api/jobs/{job.pk}/states/?before=x").status_code == 400


def test_the_past_is_read_no_further_than_asked() -> None:
    job = succeeds.enqueue()
    claim(job)
    finish(job)
    assert [entry.name for entry in monitoring.past(job).entries] == ["enqueued", "processing", "succeeded"]
    part = monitoring.past(job, limit=1)
    assert [entry.name for entry in part.entries] == ["succeeded"]
    rest = monitoring.past(job, before=part.earlier, limit=1)
    assert ([entry.name for entry in rest.entries], rest.earlier) == (["enqueued", "processing"], None)
