"""What a job says, on its page and as JSON: escaped, complete, and only for those who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from django_jobs import JobContext
from django_jobs.console import outbox
from django_jobs.models import ConsoleLine, Job
from django_jobs.states import machine
from tests.app.jobs import succeeds
from tests.dashboard.conftest import WORKER, AsUser, claim, finish, fresh

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
EVIL = '<script>alert("1")</script>'


@pytest.fixture(autouse=True)
def empty_outbox() -> Iterator[None]:
    yield
    outbox.reset()


def context(job: Job) -> JobContext:
    job = fresh(job)
    return JobContext(job.pk, job.job_type, job.queue, job.attempt, job.run, job.worker)


@pytest.fixture
def job() -> Job:
    """A running job that has said something of each kind."""
    job = succeeds.enqueue()
    claim(job)
    ctx = context(job)
    ctx.log(EVIL, "error", "red")
    ctx.log("plain")
    ctx.progress_bar(EVIL, total=3).set(1)
    ctx.progress_bar("endless").set(12345)
    ctx.metadata["key"] = EVIL
    outbox.flush()
    return job


def page(browser: Client, job: Job) -> str:
    answer = browser.get(f"{LIST}{job.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def live(browser: Client, job: Job, after: int = 0) -> Any:
    answer = browser.get(f"{LIST}{job.pk}/live/?after={after}")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


def test_the_page_shows_lines_bars_and_metadata_and_nothing_of_them_as_markup(as_root: Client, job: Job) -> None:
    text = page(as_root, job)
    assert EVIL not in text
    assert text.count("&lt;script&gt;alert") >= 3
    assert "dj-line dj-said-error dj-color-red" in text
    assert "1 of 3 · 33.3 %" in text
    assert "12,345" in text


def test_the_page_asks_for_what_came_later(as_root: Client, job: Job) -> None:
    first = live(as_root, job)
    assert [line["text"] for line in first["lines"]] == [EVIL, "plain"]
    assert (first["state"], first["over"]) == ("processing", False)
    assert 'data-after="2"' in page(as_root, job)
    context(job).console.offset = 2
    ctx = context(job)
    ctx.log("later")
    outbox.flush()
    assert [line["text"] for line in live(as_root, job, after=2)["lines"]] == ["later"]
    finish(job)
    ended = live(as_root, job, after=3)
    assert (ended["lines"], ended["over"], ended["state"]) == ([], True, "succeeded")
    assert ended["stamp"] != first["stamp"]


def test_the_page_asks_so_also_where_numbers_are_grouped(as_root: Client, job: Job) -> None:
    ConsoleLine.objects.filter(job=job.pk, number=2).update(number=4321)
    with override_settings(LANGUAGE_CODE="de", USE_THOUSAND_SEPARATOR=True):
        assert 'data-after="4321"' in page(as_root, job)


def test_a_cancelled_job_is_followed_until_it_has_stopped(as_root: Client, job: Job) -> None:
    before = live(as_root, job)["stamp"]
    job.pause()
    asked = live(as_root, job)
    job.cancel()
    cancelled = live(as_root, job)
    assert len({before, asked["stamp"], cancelled["stamp"]}) == 3
    assert (cancelled["state"], cancelled["over"]) == ("deleted", False)
    Job.objects.filter(pk=job.pk).update(asked="")
    assert live(as_root, job)["over"]


def test_what_was_left_out_is_said_where_it_is_missing(as_root: Client, job: Job) -> None:
    for number in (10, 11, 1013):
        ConsoleLine.objects.create(job=job, run=1, number=number, at=job.created_at, level="info", text=f"no. {number}")
    text = page(as_root, job)
    assert text.index("plain") < text.index("… 7 lines left out …") < text.index("no. 10")
    assert "… 1,001 lines left out …" in text
    answer = live(as_root, job, after=11)
    assert [line["left_out"] for line in answer["lines"]] == ["… 1,001 lines left out …"]


def test_each_run_has_its_own_console_and_the_newest_is_open(as_root: Client, job: Job) -> None:
    machine.give_back([(job.pk, 1)], WORKER, "Put back")
    claim(job)
    context(job).log("of the second run")
    outbox.flush()
    text = page(as_root, job)
    assert '<details class="dj-run" data-run="1">' in text
    assert '<details class="dj-run" data-run="2" open>' in text
    assert text.index("plain") < text.index("of the second run")


def test_lines_and_metadata_are_payload_and_bars_are_not(as_user: AsUser, job: Job) -> None:
    viewer = as_user("view_job")
    text = page(viewer, job)
    assert "plain" not in text
    assert "alert" in text  # the bar's name
    answer = live(viewer, job)
    assert (answer["lines"], answer["metadata"]) == ([], "")
    assert [bar["standing"] for bar in answer["bars"]] == ["1 of 3 · 33.3 %", "12,345"]
    assert live(as_user("view_job", "view_payload_job"), job)["lines"] != []


def test_nobody_asks_without_the_permission_to_see_jobs(as_user: AsUser, client: Client, job: Job) -> None:
    assert as_user("view_payload_job").get(f"{LIST}{job.pk}/live/").status_code == 403
    assert client.get(f"{LIST}{job.pk}/live/").status_code == 302


def test_odd_questions_are_refused(as_root: Client, job: Job) -> None:
    assert as_root.get(f"{LIST}{job.pk + 1}/live/").status_code == 404
    assert as_root.post(f"{LIST}{job.pk}/live/").status_code == 405
    for after in ("-1", "x", "²", "9" * 20, "1;--"):
        assert as_root.get(f"{LIST}{job.pk}/live/", {"after": after}).status_code == 400


def test_metadata_is_found_by_those_who_may_see_it(as_root: Client, as_user: AsUser, job: Job) -> None:
    other = succeeds.enqueue()
    context(job).metadata.update(customer="acme", rows=5)
    outbox.flush()

    def found(browser: Client, text: str) -> set[int]:
        listed = browser.get(LIST, {"q": text}).content.decode()
        return {pk for pk in (job.pk, other.pk) if f"{LIST}{pk}/change/" in listed}

    assert found(as_root, "metadata.customer:acme") == found(as_root, "metadata.rows:5") == {job.pk}
    assert found(as_root, "metadata.customer:nobody") == set()
    assert found(as_user("view_job"), "metadata.customer:acme") == set()


def test_a_look_costs_few_queries_and_leaves_the_payload_alone(as_root: Client, job: Job) -> None:
    with CaptureQueriesContext(connection) as queries:
        live(as_root, job)
    assert len(queries) <= 7
    assert not any('"result"' in query["sql"] for query in queries)
    silent = succeeds.enqueue()
    with CaptureQueriesContext(connection) as queries:
        live(as_root, silent)
    assert len(queries) <= 6
    assert not any('"args"' in query["sql"] for query in queries), "only what a job says is masked by them"


def test_the_list_shows_how_far_running_jobs_are(as_user: AsUser, job: Job) -> None:
    for other in succeeds.enqueue_many([(), ()]):
        claim(other)
        context(other).progress_bar("pages", total=8).set(2)
    outbox.flush()
    viewer = as_user("view_job")
    with CaptureQueriesContext(connection) as queries:
        text = viewer.get(LIST).content.decode()
    assert text.count('<progress class="dj-small-bar" max="100" value="25.0" title="pages: 2 of 8">') == 2
    assert 'value="33.3"' in text
    assert EVIL not in text
    assert sum("django_jobs_progress" in query["sql"] for query in queries) == 1
