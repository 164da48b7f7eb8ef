"""The queues' page: what it tells, and what a person may do with a queue."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_jobs import steering
from django_jobs.models import Job, Queue
from django_jobs.states import machine
from tests.app.jobs import adds
from tests.dashboard.conftest import AsUser

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/queue/"


def order(browser: Client, name: str, what: str, **terms: object) -> str:
    answer = browser.post(f"{LIST}{name}/order/{what}/", terms, follow=True)
    return " ".join(str(message) for message in answer.context.get("messages", ()))


def test_the_list_tells_what_waits_and_that_nobody_serves(as_root: Client) -> None:
    adds.enqueue_many([(1, 1)] * 3)
    shown = as_root.get(LIST).content.decode()
    assert ">3</a></dd>" in shown
    assert shown.count("Nobody serves it") == 3


def test_what_waits_for_a_limit_is_counted_and_found_by_the_link(as_root: Client) -> None:
    steering.limit_queue("critical", max_concurrency=1, rate_limit=None)
    jobs = adds.using(queue="critical").enqueue_many([(n, n) for n in range(3)])
    machine.claim([job.pk for job in jobs], ["tests.adds"], "w/1")
    critical = next(card for card in as_root.get(LIST).context["cards"] if card.name == "critical")
    listed = as_root.get(critical.jobs_url, follow=True).context["cl"].result_list
    assert [job.pk for job in listed] == [jobs[2].pk, jobs[1].pk]
    assert "2 waiting jobs of this queue" in as_root.post(f"{LIST}critical/order/purge/").content.decode()


def test_pause_and_resume_are_told_and_logged(as_root: Client) -> None:
    assert order(as_root, "critical", "pause") == "Queue critical is paused."
    assert Queue.objects.get().paused
    assert order(as_root, "critical", "resume") == "Queue critical goes on."
    assert not Queue.objects.get().paused
    assert order(as_root, "critical", "pause", minutes="90").startswith("Queue critical is paused for 1 h")
    assert Queue.objects.get().paused_until is not None
    assert [entry.object_id for entry in LogEntry.objects.all()] == ["critical"] * 3


def test_a_purge_is_confirmed_first(as_root: Client) -> None:
    adds.using(queue="critical").enqueue_many([(1, 1)] * 2)
    asked = as_root.post(f"{LIST}critical/order/purge/").content.decode()
    assert "2 waiting jobs of this queue will be deleted" in asked
    assert Job.objects.filter(state="enqueued").count() == 2
    told = order(as_root, "critical", "purge", confirmed="yes")
    assert told == "Queue critical was purged: 2 jobs were deleted."
    assert Job.objects.filter(state="deleted").count() == 2


def test_limits_are_set_shown_and_taken_back(as_root: Client) -> None:
    told = order(as_root, "critical", "limit", max_concurrency="3", rate_limit="10/m")
    assert told == "Queue critical: 3 at once, 10/m."
    assert 'value="3"' in as_root.get(LIST).content.decode()
    assert order(as_root, "critical", "limit") == "Queue critical: no limits."


def test_wrong_limits_are_refused_in_words(as_root: Client) -> None:
    assert "rate_limit: is 'often'; give a RateLimit" in order(as_root, "critical", "limit", rate_limit="often")
    assert "max_concurrency" in order(as_root, "critical", "limit", max_concurrency="0")
    assert not Queue.objects.filter(rate_limit="often").exists()


@pytest.mark.parametrize(
    ("what", "permission"),
    [("pause", "pause_queue"), ("resume", "pause_queue"), ("purge", "purge_queue"), ("limit", "change_queue")],
)
def test_each_order_takes_its_permission(as_user: AsUser, what: str, permission: str) -> None:
    steering.pause_queue("critical")
    viewer = as_user("view_queue")
    assert viewer.get(LIST).status_code == 200
    assert f"/order/{what}/" not in viewer.get(LIST).content.decode()
    assert viewer.post(f"{LIST}critical/order/{what}/", {"confirmed": "yes"}).status_code == 403


def test_who_may_see_nothing_sees_nothing(as_user: AsUser) -> None:
    assert as_user("view_job").get(LIST).status_code == 403


def test_an_order_is_posted_to_a_known_queue(as_root: Client) -> None:
    assert as_root.get(f"{LIST}critical/order/pause/").status_code == 405
    assert as_root.post(f"{LIST}mial/order/pause/").status_code == 404
    assert as_root.post(f"{LIST}critical/order/burn/").status_code == 404
