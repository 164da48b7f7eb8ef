"""Failures by their cause, and retries: what they tell, to whom, and what a person may do with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_jobs import client, clock, execution, monitoring, states
from django_jobs.dashboard import retries
from django_jobs.models import Job
from django_jobs.states import machine
from tests.app.jobs import fails, succeeds
from tests.dashboard.conftest import WORKER, AsUser, claim, failed, finish, fresh, retrying

pytestmark = pytest.mark.django_db(transaction=True)

FAILURES = "/admin/django_jobs/failure/"
RETRIES = "/admin/django_jobs/waitingretry/"
JOBS = "/admin/django_jobs/job/"


def run(job: Job) -> Job:
    """Let a worker really run it."""
    (claimed,) = machine.claim([job.pk], ["tests.fails", "tests.succeeds"], WORKER)
    machine.acknowledge([execution.run(claimed, WORKER)], WORKER)
    return fresh(job)


def causes(browser: Client) -> list[tuple[str, str, int]]:
    groups = browser.get(FAILURES).context["groups"]
    return [(group.error, group.group.cause.place.rpartition(":")[0], group.count) for group in groups]


def verb(browser: Client, name: str, at: int = 0) -> Any:
    group = browser.get(FAILURES).context["groups"][at]
    return browser.post(f"{group.url}verb/{name}/", follow=True)


def raised(error: str, place: str) -> Job:
    job = fails.enqueue("x")
    claim(job)
    data = {"exception": error, "message": "x", "place": place, "traceback": "…"}
    finish(job, state=states.FAILED, data=data, reason=f"{error}: x")
    return fresh(job)


def test_jobs_that_really_fail_are_grouped_by_what_was_raised_and_where(as_root: Client) -> None:
    run(fails.enqueue("one"))
    run(fails.enqueue("two"))
    raised("OSError", "shop.jobs.charge:7")
    assert causes(as_root) == [("ValueError", "tests.app.jobs.fails", 2), ("OSError", "shop.jobs.charge", 1)]


def test_where_nothing_was_raised_the_reason_is_the_cause(as_root: Client) -> None:
    job = succeeds.enqueue()
    machine.move([job.pk], machine.Target("failed", "No worker would have it: s3cret"), expected={"enqueued"})
    assert causes(as_root) == [("No worker would have it", "", 1)]


def test_a_requeued_job_counts_by_its_last_failure(as_root: Client) -> None:
    job = raised("OSError", "a.b:1")
    client.requeue([job.pk])
    claim(job)
    data = {"exception": "KeyError", "message": "x", "place": "a.b:2", "traceback": "…"}
    finish(job, state=states.FAILED, data=data, reason="KeyError: x")
    assert [error for error, *_ in causes(as_root)] == ["KeyError"]


def test_a_cause_tells_when_which_types_and_leads_to_its_jobs(as_root: Client) -> None:
    jobs = [raised("OSError", "a.b:1") for _ in range(3)]
    Job.objects.filter(pk=jobs[0].pk).update(state_at=clock.now() - timedelta(days=2))
    (group,) = as_root.get(FAILURES).context["groups"]
    assert group.group.last - group.group.first > timedelta(days=1)
    assert group.types == [("tests.fails", 3)]
    page = as_root.get(group.url).content.decode()
    positions = [page.index(f"/admin/django_jobs/job/{job.pk}/change/") for job in jobs]
    assert positions == sorted(positions, reverse=True)


def test_all_of_a_cause_are_requeued_or_deleted_and_logged(as_root: Client) -> None:
    jobs, others = [raised("OSError", "a.b:1") for _ in range(3)], [raised("KeyError", "a.b:2") for _ in range(2)]
    assert "3 of 3 jobs were requeued" in verb(as_root, "requeue").content.decode()
    assert {fresh(job).state for job in jobs} == {"enqueued"}
    assert {fresh(job).state for job in others} == {"failed"}
    assert "2 of 2 jobs were deleted" in verb(as_root, "delete").content.decode()
    assert {fresh(job).state for job in others} == {"deleted"}
    logged = LogEntry.objects.values_list("object_id", "user__username")
    assert set(logged) == {(str(job.pk), "root") for job in [*jobs, *others]}


def test_only_the_newest_are_looked_at_and_the_page_says_so(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring.failing, "FAILURES", 2)
    monkeypatch.setattr(monitoring, "FAILURES", 2)
    jobs = [raised("OSError", "a.b:1") for _ in range(3)]
    assert "the newest 2 failed jobs" in as_root.get(FAILURES).content.decode()
    verb(as_root, "requeue")
    assert [fresh(job).state for job in jobs] == ["failed", "enqueued", "enqueued"]


def test_what_a_failure_said_is_shown_to_those_who_may_see_payloads(as_user: AsUser) -> None:
    failed(reason="ValueError: s3cret")
    retrying("Retry 1 of 3: ValueError: s3cret")
    retrying("Retry 2 of 3: s3cret without a class")
    viewer, reader = as_user("view_job"), as_user("view_job", "view_payload_job")
    group = viewer.get(FAILURES).context["groups"][0]
    for address in (FAILURES, group.url, RETRIES):
        assert "s3cret" in reader.get(address).content.decode()
        assert "ValueError" in (page := viewer.get(address).content.decode())
        assert "s3cret" not in page


@pytest.mark.parametrize("lookup", ["args__icontains", "args__0", "kwargs__pin__startswith", "state_reason__icontains"])
def test_what_retries_do_not_show_cannot_be_guessed_in_the_address(
    as_user: AsUser, as_root: Client, lookup: str
) -> None:
    retrying("Retry 1 of 3: ValueError: s3cret")
    for browser in (as_user("view_job"), as_root):
        assert browser.get(RETRIES, {lookup: "s"}).status_code == 400
        assert browser.get(RETRIES, {"queue": "default", "job_type": "tests.fails"}).status_code == 200


@pytest.mark.parametrize("address", [FAILURES, RETRIES])
def test_pages_take_sight_of_jobs(client: Client, as_user: AsUser, address: str) -> None:
    assert client.get(address).headers["Location"].startswith("/admin/login/")
    assert as_user("view_server").get(address).status_code == 403
    assert as_user("view_job").get(address).status_code == 200


@pytest.mark.parametrize(("name", "permission"), [("requeue", "requeue_job"), ("delete", "delete_job")])
def test_each_verb_on_a_cause_takes_its_permission(as_user: AsUser, name: str, permission: str) -> None:
    job = raised("OSError", "a.b:1")
    viewer, other = as_user("view_job"), as_user("view_job", "cancel_job")
    url = viewer.get(FAILURES).context["groups"][0].url
    for browser in (viewer, other, as_user(permission)):
        assert browser.post(f"{url}verb/{name}/").status_code == 403
    assert "/verb/" not in viewer.get(FAILURES).content.decode()
    strict = Client(enforce_csrf_checks=True)
    allowed = as_user("view_job", permission)
    strict.cookies = allowed.cookies
    assert strict.post(f"{url}verb/{name}/").status_code == 403
    assert allowed.get(f"{url}verb/{name}/").status_code == 405
    assert fresh(job).state == states.FAILED
    assert f"{url}verb/{name}/" in allowed.get(url).content.decode()
    assert allowed.post(f"{url}verb/{name}/").status_code == 302
    assert fresh(job).state == states.VERBS[name].target


def test_a_cause_or_verb_that_is_not_there_is_not_found(as_root: Client) -> None:
    raised("OSError", "a.b:1")
    url = as_root.get(FAILURES).context["groups"][0].url
    assert as_root.post(f"{url}verb/explode/").status_code == 404
    gone = f"{FAILURES}0123456789abcdef/"
    for answer in (as_root.get(gone, follow=True), as_root.post(f"{gone}verb/requeue/", follow=True)):
        assert "No failed job has this cause (any more)." in answer.content.decode()


def test_retries_tell_attempt_due_time_and_error_the_next_one_first(as_root: Client) -> None:
    later, sooner = retrying(due=timedelta(hours=2)), retrying(due=timedelta(minutes=5))
    succeeds.schedule(timedelta(seconds=1))
    answer = as_root.get(RETRIES)
    assert [job.pk for job in answer.context["cl"].result_list] == [sooner.pk, later.pk]
    page = answer.content.decode()
    assert "2 of 2" in page or "2 of 4" in page
    assert "ValueError: no card" in page
    assert "in 4 min" in page
    assert f"/admin/django_jobs/job/{sooner.pk}/change/" in page


def act(browser: Client, action: str, *jobs: Job) -> Any:
    chosen = {"action": action, "index": 0, "_selected_action": [job.pk for job in jobs]}
    return browser.post(RETRIES, chosen, follow=True)


def test_a_retry_is_made_now_with_its_attempts_counted_on(as_root: Client) -> None:
    job, other = retrying(), retrying()
    assert "1 of 1 job is tried now" in act(as_root, "retry_now", job).content.decode()
    machine.move_due(clock.now())
    now = fresh(job)
    assert (now.state, now.attempt) == ("enqueued", 2)
    assert fresh(other).state == "scheduled"
    assert LogEntry.objects.get().object_id == str(job.pk)


def test_a_retry_is_given_up(as_root: Client) -> None:
    job = retrying()
    act(as_root, "delete_retries", job)
    assert fresh(job).state == "deleted"
    assert LogEntry.objects.get().object_id == str(job.pk)


@pytest.mark.parametrize("name", ["requeue", "delete"])
def test_what_runs_again_meanwhile_is_not_touched_by_a_verb_on_its_cause(
    as_root: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    done, runs, still = failed(), failed(), failed()
    looked = monitoring.failure_groups()
    client.requeue([done.pk, runs.pk])
    claim(done, runs)
    finish(done)
    monkeypatch.setattr(monitoring, "failure_groups", lambda: looked)
    verb(as_root, name)
    assert [fresh(job).state for job in (done, runs)] == ["succeeded", "processing"]
    assert fresh(still).state == {"requeue": "enqueued", "delete": "deleted"}[name]


@pytest.mark.parametrize("action", ["retry_now", "delete_retries"])
def test_a_retry_that_began_meanwhile_is_left_alone(
    as_root: Client, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    job = retrying()
    does = retries.done_to_all

    def late(*args: Any) -> Any:
        client.requeue([job.pk])
        return does(*args)

    monkeypatch.setattr(retries, "done_to_all", late)
    assert "0 of 1 job" in act(as_root, action, job).content.decode()
    assert fresh(job).state == "enqueued"


@pytest.mark.parametrize(("action", "permission"), [("retry_now", "requeue_job"), ("delete_retries", "delete_job")])
def test_each_action_on_retries_takes_its_permission(as_user: AsUser, action: str, permission: str) -> None:
    job = retrying()
    viewer, allowed = as_user("view_job"), as_user("view_job", permission)
    assert 'name="action"' not in viewer.get(RETRIES).content.decode()
    act(viewer, action, job)
    assert LogEntry.objects.count() == 0
    act(allowed, action, job)
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize(("address", "action"), [(RETRIES, "retry_now"), (JOBS, "requeue_selected")])
@pytest.mark.parametrize("number", ["x", "9" * 30])
def test_nonsense_is_refused(as_root: Client, address: str, action: str, number: str) -> None:
    retrying()
    chosen = {"action": action, "index": 0, "_selected_action": [number]}
    assert as_root.post(address, chosen).status_code == 400


def test_a_million_scheduled_jobs_are_not_searched_for_retries() -> None:
    first = retrying(due=timedelta(minutes=1))
    for hours in range(1, 4):
        succeeds.schedule(timedelta(hours=hours))
    beyond = retrying(due=timedelta(days=1))
    assert set(monitoring.retrying()) == {first, beyond}
    assert set(monitoring.retrying(window=3)) == {first}


@pytest.mark.parametrize("address", [FAILURES, RETRIES])
def test_empty_pages_say_so(as_root: Client, address: str) -> None:
    assert 'class="dj-empty"' in as_root.get(address).content.decode()


def test_pages_cost_few_queries(as_user: AsUser) -> None:
    browser = as_user("view_job", "view_payload_job", "requeue_job", "delete_job")
    for number in range(10):
        raised("OSError", f"a.b:{number % 3}")
        retrying()
    url = browser.get(FAILURES).context["groups"][0].url
    for address, most in ((FAILURES, 8), (url, 10), (RETRIES, 12)):
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(address).status_code == 200
        assert len(captured) <= most, "\n".join(query["sql"] for query in captured)
