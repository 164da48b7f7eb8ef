"""Events by the REST API: asking again and again, and streams."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import InterfaceError
from django.test import Client

from django_jobs import feed
from django_jobs.api import stream
from django_jobs.api.events import Events
from django_jobs.masking import HIDDEN
from django_jobs.models import Job
from django_jobs.states import machine
from django_jobs.states.moves import Target
from django_jobs.streams import hub as hubs
from django_jobs.streams import response
from django_jobs.streams.hub import hub
from tests.api.conftest import AsUser, Caller
from tests.app.jobs import adds, succeeds
from tests.app.people import signs_in
from tests.dashboard.conftest import claim, finish
from tests.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)
SSE = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    yield
    hub.stop()


class Reader:
    """Reads a stream in a thread, as a browser would."""

    def __init__(self, client: Client, path: str = "", **headers: str) -> None:
        self.answer = client.get(f"/api/events/{path}", headers={**SSE, **headers})
        assert self.answer.status_code == 200, self.answer.content
        self.text = ""
        self.ended = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        eventually(lambda: self.text, what="the stream begins")

    def _read(self) -> None:
        for chunk in self.answer.streaming_content:
            self.text += chunk.decode()
        self.ended = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line[6:]) for line in self.text.splitlines() if line.startswith("data: ")]

    @property
    def place(self) -> str:
        return [line[4:] for line in self.text.splitlines() if line.startswith("id: ")][-1]

    def close(self) -> None:
        self.answer.close()
        self._thread.join(10)


def run(job: Job) -> None:
    claim(job)
    finish(job)


def test_asking_tells_what_happened_since(root: Caller) -> None:
    place = root.get("events/")["after"]
    job = succeeds.enqueue()
    run(job)
    told = root.get(f"events/?after={place}")
    assert [(one["job"], one["state"]) for one in told["events"]] == [
        (job.pk, state) for state in ("enqueued", "processing", "succeeded")
    ]
    assert root.get(f"events/?after={told['after']}")["events"] == []
    other = adds.using(queue="critical", created_by=root.user).enqueue(1, 2)
    for query in (f"job={other.pk}", "job_type=tests.adds", "queue=critical", "user=root"):
        assert [one["job"] for one in root.get(f"events/?after={place}&{query}")["events"]] == [other.pk], query
    assert len(root.get(f"events/?after={place}&state=processing,succeeded")["events"]) == 2


def test_who_asks_from_beyond_the_end_hears_what_happens_from_now_on(root: Caller) -> None:
    succeeds.enqueue()
    told = root.get("events/?after=999999999.999999999")
    assert (told["events"], told["after"]) == ([], root.get("events/")["after"])
    job = succeeds.enqueue()
    assert [one["job"] for one in root.get(f"events/?after={told['after']}")["events"]] == [job.pk]


@pytest.mark.parametrize("query", ["after=x", "job=x", "job=0", "state=gone", "job_type=" + "x" * 201, "user=%00"])
def test_what_cannot_be_is_refused_by_its_name(root: Caller, query: str) -> None:
    code, told = root("get", f"events/?{query}")
    assert (code, told["errors"][0]["field"]) == (400, query.partition("=")[0])
    assert root.client.get(f"/api/events/?{query}", headers=SSE).status_code == 400


def test_a_place_that_nobody_has_named_is_refused_by_where_it_stood(root: Caller) -> None:
    code, told = root("get", "events/", **{"Last-Event-ID": "x"})
    assert (code, told["errors"][0]["field"]) == (400, "Last-Event-ID")


def test_a_stream_tells_as_it_happens(root: Caller) -> None:
    reader = Reader(root.client, "?state=succeeded")
    job, other = succeeds.enqueue(), succeeds.enqueue()
    run(job)
    eventually(lambda: reader.events, what="the event")
    assert [(one["job"], one["state"]) for one in reader.events] == [(job.pk, "succeeded")]
    assert reader.answer["Content-Encoding"] == "identity"
    reader.close()
    run(other)
    again = Reader(root.client, "?state=succeeded", **{"Last-Event-ID": reader.place})
    eventually(lambda: again.events, what="what was missed")
    assert [one["job"] for one in again.events] == [other.pk]
    again.close()


def test_streams_go_on_after_the_reader_has_lost_its_line_or_its_life(
    root: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    hub._thread = dead
    read, troubles = hubs.feed.read, [InterfaceError("connection already closed")]

    def trouble(*args: Any, **options: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return read(*args, **options)

    monkeypatch.setattr(hubs.feed, "read", trouble)
    reader = Reader(root.client)
    job = succeeds.enqueue()
    eventually(lambda: reader.events, what="the event")
    assert [one["job"] for one in reader.events] == [job.pk]
    reader.close()


def test_nothing_is_lost_or_doubled_between_streams(root: Caller) -> None:
    place, seen, made = root.get("events/")["after"], [], []

    def enqueue() -> None:
        made.extend(succeeds.enqueue().pk for _ in range(200))

    from django.db import connections

    thread = threading.Thread(target=lambda: (enqueue(), connections.close_all()))
    thread.start()
    while thread.is_alive() or len(seen) < len(made):
        reader = Reader(root.client, **{"Last-Event-ID": place})
        eventually(lambda reader=reader: reader.events or not thread.is_alive(), what="events")
        eventually(lambda reader=reader: "id: " in reader.text, what="a place")
        reader.close()
        seen += [one["job"] for one in reader.events]
        place = reader.place
        if len(seen) >= 200:
            break
    thread.join()
    seen += [one["job"] for one in root.get(f"events/?after={place}")["events"]]
    assert sorted(seen) == sorted(made)


def test_compression_holds_nothing_back(root: Caller, settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware", *settings.MIDDLEWARE]
    reader = Reader(root.client, **{"Accept-Encoding": "gzip"})
    succeeds.enqueue()
    eventually(lambda: reader.events, what="the event")
    reader.close()


def test_a_slow_listener_reads_for_himself(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = stream.Listener(stream.Wanted(), None, payload=True, may=lambda: True)
    woken: list[int] = []
    listener.begin(lambda: woken.append(1))
    before = listener._number
    made = []
    for at in range(5):
        made.append(succeeds.enqueue().pk)
        eventually(lambda at=at: hub._number > before + at, what="a find")
    with hub._changed:
        while len(hub._finds) > 2:
            hub._finds.popleft()
    assert listener.is_behind
    text = ""
    while listener.is_behind:
        text += listener.catch_up()
    text += listener.take()
    assert [json.loads(line[6:])["job"] for line in text.splitlines() if line.startswith("data: ")] == made
    woken.clear()
    succeeds.enqueue()
    eventually(lambda: woken, what="the listener is woken as before")


def test_there_is_room_for_so_many(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "MOST", 1)
    reader = Reader(root.client)
    refused = root.client.get("/api/events/", headers=SSE)
    assert (refused.status_code, refused["Content-Type"]) == (503, "application/problem+json")
    assert int(refused["Retry-After"]) > 0
    reader.close()
    Reader(root.client).close()


@pytest.mark.parametrize("change", ["permission", "logout", "inactive", "password"])
def test_who_may_no_longer_listen_hears_no_more(caller: AsUser, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    monkeypatch.setattr(response, "CHECK", 0.1)
    viewer = caller("view_job")
    assert viewer.user is not None
    reader = Reader(viewer.client)
    if change == "permission":
        viewer.user.user_permissions.remove(Permission.objects.get(codename="view_job"))
    elif change == "logout":
        viewer.client.session.flush()
    elif change == "inactive":
        type(viewer.user).objects.filter(pk=viewer.user.pk).update(is_active=False)
    else:
        viewer.user.set_password("another")
        viewer.user.save()
    eventually(lambda: reader.ended, what="the end of the stream")
    reader.close()


def test_who_may_listen_on_does(caller: AsUser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "CHECK", 0.05)
    asked = []
    may = Events._asking

    def counted(self: Events, *args: Any) -> Any:
        inner = may(self, *args)
        return lambda: asked.append(inner()) or asked[-1]

    monkeypatch.setattr(Events, "_asking", counted)
    reader = Reader(caller("view_job").client)
    eventually(lambda: len(asked) > 3, what="looks")
    assert all(asked)
    assert not reader.ended
    reader.close()


def test_a_heartbeat_moves_the_place(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response, "HEARTBEAT", 0.05)
    reader = Reader(root.client)
    eventually(lambda: ": alive\nid: " in reader.text, what="a heartbeat")
    reader.close()


def test_messages_of_exceptions_are_for_those_who_may_see_payloads(caller: AsUser) -> None:
    viewer = caller("view_job")
    place = viewer.get("events/")["after"]
    reader = Reader(viewer.client)
    job = succeeds.enqueue()
    claim(job)
    finish(job, state="failed", reason="ValueError: secret", data={})
    eventually(lambda: len(reader.events) == 3, what="the failure")
    reader.close()
    assert "secret" not in reader.text + json.dumps(viewer.get(f"events/?after={place}"))
    assert reader.events[-1]["reason"] == "ValueError"


def _refused_sign_in() -> Job:
    """A job that failed with a message that quotes its password."""
    job = signs_in.enqueue(1, "open sesame")
    machine.move([job.pk], Target("failed", "ValueError: no open sesame today"), expected={"enqueued"})
    return job


def test_sensitive_values_are_masked_for_everybody(root: Caller) -> None:
    place = root.get("events/")["after"]
    reader = Reader(root.client)
    _refused_sign_in()
    eventually(lambda: len(reader.events) == 2, what="the failure")
    reader.close()
    missed = Reader(root.client, **{"Last-Event-ID": place})
    eventually(lambda: len(missed.events) == 2, what="what was missed")
    missed.close()
    asked = root.get(f"events/?after={place}")["events"]
    for events in (reader.events, missed.events, asked):
        assert events[-1]["reason"] == f"ValueError: no {HIDDEN} today"


def test_of_a_job_that_is_gone_only_the_cause_is_told(root: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    place = root.get("events/")["after"]
    _refused_sign_in()
    monkeypatch.setattr(hubs, "masks_of", lambda ids: {})
    assert root.get(f"events/?after={place}")["events"][-1]["reason"] == "ValueError"


def test_masks_take_one_query_and_only_where_they_are_needed(django_assert_num_queries: Any) -> None:
    place = feed.now()
    for _ in range(3):
        _refused_sign_in()
    found = feed.read(place)[0]
    with django_assert_num_queries(1):
        assert [HIDDEN in one.facts(payload=True)["reason"] for one in hubs.told_of(found, payload=True)].count(
            True
        ) == 3
    silent = [event for event in found if not event.reason]
    with django_assert_num_queries(0):
        assert hubs.told_of([], payload=True) == []
        assert len(hubs.told_of(found, payload=False)) == len(found)
        assert len(hubs.told_of(silent, payload=True)) == len(silent) == 3


async def _first_chunk(answer: Any, wanted: str) -> str:
    text = ""
    async for chunk in answer.streaming_content:
        text += chunk.decode()
        if wanted in text:
            break
    return text


def test_a_stream_in_an_event_loop(root: Caller) -> None:
    from django.test import AsyncClient

    assert root.user is not None

    async def listen() -> str:
        client = AsyncClient()
        await client.aforce_login(root.user)
        answer = await client.get("/api/events/", headers=SSE)
        assert answer.is_async
        reading = asyncio.create_task(_first_chunk(answer, '"state": "enqueued"'))
        await asyncio.sleep(0)
        await sync_to_async(lambda: eventually(lambda: hub._wakers, what="listening"), thread_sensitive=False)()
        await sync_to_async(succeeds.enqueue)()
        text = await asyncio.wait_for(reading, 20)
        await sync_to_async(answer.close)()
        return text

    assert "event: state\ndata: {" in asyncio.run(listen())
    assert not hub._members
