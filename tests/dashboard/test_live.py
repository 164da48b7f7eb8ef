"""Pages that follow what happens: their live parts, the pulse, the stream of hints, and who may hear them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib import messages
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import AsyncClient, Client
from django.urls import reverse

from django_jobs import JobContext, clock
from django_jobs.console import outbox
from django_jobs.dashboard.live import KIND
from django_jobs.models import Batch, RecurringJob
from django_jobs.streams import hub as hubs
from django_jobs.streams import response
from django_jobs.streams.hub import hub
from tests.app.jobs import succeeds
from tests.dashboard.conftest import WORKER, AsUser, claim, failed, finish, server, user_with
from tests.servers import eventually

EVENTS = "/admin/django_jobs/job/events/"


def parts(browser: Client, path: str, tag: str = "") -> Any:
    """What a page that follows is given: by ids the parts that are not as they were at the tag."""
    answer = browser.get(path, headers={"Accept": KIND, **({"If-None-Match": tag} if tag else {})})
    assert answer.status_code == 200, answer.status_code
    return answer.json()["parts"], answer["ETag"]


@pytest.fixture
def pages(as_root: Client) -> dict[str, str]:
    """The address of every page, with something to show on each."""
    job = failed()
    host = server("one")
    row = RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="0 3 * * *")
    row.trigger()
    batch = Batch.start("bulk", [succeeds.bind("a")])
    return {
        "jobs": reverse("admin:django_jobs_job_changelist"),
        "job": reverse("admin:django_jobs_job_change", args=[job.pk]),
        "queues": reverse("admin:django_jobs_queue_changelist"),
        "servers": reverse("admin:django_jobs_server_changelist"),
        "server": reverse("admin:django_jobs_server_change", args=[host.pk]),
        "health": reverse("admin:django_jobs_server_health"),
        "batches": reverse("admin:django_jobs_batch_changelist"),
        "batch": reverse("admin:django_jobs_batch_change", args=[batch.pk]),
        "recurring": reverse("admin:django_jobs_recurringjob_changelist"),
        "recurring job": reverse("admin:django_jobs_recurringjob_change", args=["nightly"]),
    }


@pytest.mark.django_db
def test_every_page_has_live_parts_that_are_sent_only_when_they_have_changed(
    as_root: Client, pages: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = clock.now()
    monkeypatch.setattr(clock, "now", lambda: still)
    for name, path in pages.items():
        whole = as_root.get(path).content.decode()
        found, tag = parts(as_root, path)
        assert found, name
        for part in found:
            assert f'<div id="{part}" data-live>' in whole, (name, part)
        assert 'id="dj-live"' in whole, name
        assert "django_jobs/live.js" in whole, name
        if name == "health":
            continue  # the doctor looks at the database anew, and its ages go on
        again = as_root.get(path, headers={"Accept": KIND, "If-None-Match": f"W/{tag}"})
        assert (again.status_code, again.content) == (304, b""), name
        assert "no-store" in again["Cache-Control"]


@pytest.mark.django_db
def test_only_the_parts_that_changed_are_sent(as_root: Client) -> None:
    path = reverse("admin:django_jobs_job_changelist")
    succeeds.enqueue("first")
    before, tag = parts(as_root, path)
    assert "(&#x27;first&#x27;)" in before["dj-results"] or "('first')" in before["dj-results"]
    succeeds.enqueue("second")
    after, tag = parts(as_root, path, tag)
    assert "second" in after["dj-results"]
    Batch.start("unseen here", [])
    later = as_root.get(path, headers={"Accept": KIND, "If-None-Match": tag})
    assert later.status_code == 304


@pytest.mark.django_db
def test_messages_wait_for_a_page_that_shows_them(as_root: Client) -> None:
    job = succeeds.enqueue()
    as_root.post(reverse("admin:django_jobs_job_verb", args=[job.pk, "cancel"]))
    parts(as_root, reverse("admin:django_jobs_job_changelist"))
    page = as_root.get(reverse("admin:django_jobs_job_change", args=[job.pk]))
    assert f"Job #{job.pk} was cancelled." in page.content.decode()
    assert [message.level for message in page.context["messages"]] == [messages.SUCCESS]


@pytest.mark.django_db
def test_parts_are_behind_the_pages_permission(as_user: AsUser, pages: dict[str, str]) -> None:
    nobody, stranger = as_user(), Client()
    for name, path in pages.items():
        assert nobody.get(path, headers={"Accept": KIND}).status_code == 403, name
        assert stranger.get(path, headers={"Accept": KIND}).status_code == 302, name
    assert nobody.get(EVENTS).status_code == 403
    assert stranger.get(EVENTS).status_code == 302
    viewer = as_user("view_server")
    page = viewer.get(pages["servers"]).content.decode()
    assert 'data-url=""' in page  # looks by the clock alone: it may not hear of jobs


@pytest.mark.django_db
def test_live_updates_can_be_switched_off(as_root: Client, settings: Any) -> None:
    path = reverse("admin:django_jobs_job_changelist")
    assert 'data-way="poll"' in as_root.get(path).content.decode()
    settings.DJANGO_JOBS = {"LIVE_UPDATES": "stream", "STATS_INTERVAL": 7}
    page = as_root.get(path).content.decode()
    assert 'data-way="stream"' in page
    assert 'data-interval="7"' in page
    settings.DJANGO_JOBS = {"LIVE_UPDATES": "off"}
    assert 'id="dj-live"' not in as_root.get(path).content.decode()
    assert as_root.get(EVENTS).status_code == 404


def pulse(browser: Client, query: str = "") -> Any:
    answer = browser.get(EVENTS + query)
    assert answer.status_code == 200
    assert browser.get(EVENTS + query, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    return answer.json()


@pytest.mark.django_db(transaction=True)
def test_a_pulse_changes_with_what_happens_and_only_then(as_root: Client) -> None:
    job, other = succeeds.enqueue(), succeeds.enqueue()
    mine = f"?jobs={job.pk}"
    every, one = pulse(as_root), pulse(as_root, mine)
    claim(other)
    assert pulse(as_root)["jobs"] != every["jobs"]
    assert pulse(as_root, mine) == one
    claim(job)
    running = pulse(as_root, mine)
    assert (running["jobs"] != one["jobs"], running["said"]) == (True, one["said"])
    JobContext(job.pk, job.job_type, "default", 1, 1, WORKER).log("a word")
    outbox.flush()
    said = pulse(as_root, mine)
    assert (said["jobs"], said["said"] != running["said"]) == (running["jobs"], True)
    for wrong in ("x", "1,", "-1", "9" * 19, ",".join(["1"] * 201)):
        assert as_root.get(f"{EVENTS}?jobs={wrong}").status_code == 400, wrong


class Listening:
    """A page that listens, in a thread."""

    def __init__(self, browser: Client, query: str = "") -> None:
        self.answer = browser.get(EVENTS + query, headers={"Accept": "text/event-stream"})
        assert self.answer.status_code == 200, self.answer.content
        self.text = ""
        self.ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        eventually(lambda: self.text, what="the first words")

    def _read(self) -> None:
        for chunk in self.answer.streaming_content:
            self.text += chunk.decode()
        self.ended = True
        connections.close_all()

    def hears(self, kind: str, times: int = 1) -> bool:
        return self.text.count(f"event: {kind}\n") >= times

    def close(self) -> None:
        self.answer.close()
        self._thread.join(10)


@pytest.fixture
def quiet() -> Iterator[None]:
    yield
    hub.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet")
def test_a_page_hears_of_its_jobs_and_of_their_words_and_of_no_others(as_root: Client) -> None:
    job, other = succeeds.enqueue(), succeeds.enqueue()
    every, mine = Listening(as_root), Listening(as_root, f"?jobs={job.pk}")
    claim(other)
    eventually(lambda: every.hears("jobs", 2), what="the other job's start")
    assert not mine.hears("jobs", 2)
    claim(job)
    eventually(lambda: mine.hears("jobs", 2), what="its start")
    JobContext(job.pk, job.job_type, "default", 1, 1, WORKER).log("a word")
    outbox.flush()
    eventually(lambda: mine.hears("said") and every.hears("said"), what="its word")
    finish(job)
    eventually(lambda: mine.hears("jobs", 3), what="its end")
    assert str(job.pk) not in mine.text + every.text  # hints tell nothing
    mine.close()
    every.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("change", ["permission", "logout", "inactive", "not staff"])
def test_who_may_no_longer_look_is_no_longer_told(
    as_user: AsUser, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(response, "CHECK", 0.1)
    user = user_with(["view_job"], username="viewer")
    browser = Client()
    browser.force_login(user)
    page = Listening(browser)
    if change == "permission":
        user.user_permissions.remove(Permission.objects.get(codename="view_job"))
    elif change == "logout":
        browser.logout()
    else:
        type(user).objects.filter(pk=user.pk).update(**{"is_active" if change == "inactive" else "is_staff": False})
    eventually(lambda: page.ended, what="the end of the stream")
    page.close()
    assert not hub._members


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet")
def test_a_full_house_is_told_to_ask_instead(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST", 1)
    page = Listening(as_root)
    assert as_root.get(EVENTS, headers={"Accept": "text/event-stream"}).status_code == 503
    page.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("quiet")
def test_under_asgi_a_page_is_told_to_listen_and_its_stream_holds_no_connection(as_root: Client) -> None:
    from django.contrib.auth import get_user_model

    user = get_user_model().objects.get(username="root")
    open_before_hint: list[bool] = []

    async def listen() -> str:
        client = AsyncClient()
        await client.aforce_login(user)
        page = await client.get(reverse("admin:django_jobs_job_changelist"))
        assert 'data-way="stream"' in page.content.decode()
        answer = await client.get(EVENTS, headers={"Accept": "text/event-stream"})
        assert answer.is_async
        content = aiter(answer.streaming_content)
        text = (await anext(content)).decode()
        open_before_hint.append(any(one.connection is not None for one in connections.all(initialized_only=True)))
        await sync_to_async(succeeds.enqueue, thread_sensitive=False)()
        text += (await asyncio.wait_for(anext(content), 20)).decode()
        await sync_to_async(answer.close)()
        return text

    assert asyncio.run(listen()).count("event: jobs") == 2
    assert open_before_hint == [False]
    assert not hub._members


@pytest.mark.django_db
def test_a_heartbeat_changes_its_part_alone(as_root: Client) -> None:
    host = server("one")
    path = reverse("admin:django_jobs_server_change", args=[host.pk])
    _, tag = parts(as_root, path)
    type(host).objects.filter(pk=host.pk).update(heartbeat_at=clock.now() - timedelta(seconds=9))
    changed, _ = parts(as_root, path, tag)
    assert list(changed) == ["dj-server"]
