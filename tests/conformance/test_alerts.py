"""A trouble is told once when it begins and once when it is over: by signal, by mail, by a signed webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from django_jobs import alerts, checks, clock, doctor, signals
from django_jobs.alerts import telling, troubles, webhook
from django_jobs.clock import clock as the_clock
from django_jobs.decorators import job
from django_jobs.exceptions import WebhookFailed, WebhookRefused
from django_jobs.models import Alert, Job, RecurringJob, Server
from django_jobs.registry import registry
from django_jobs.server import cleaner
from django_jobs.server.watchdog import Watchdog
from django_jobs.testing import drain
from tests.app.jobs import adds, fails
from tests.servers import RunJobs, eventually

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "between us"
MAILED = {"mail": ["ops@example.com"]}


class Receiver:
    """The other side of a webhook: notes what comes, and answers as it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 204)
                self.send_header("Location", f"http://localhost:{receiver.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://localhost:{self.port}/hook?of=jobs"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(told["event"], told["subject"]) for told in (json.loads(body) for _, body in self.heard)]

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.end()


@pytest.fixture
def told() -> Iterator[list[tuple[str, str]]]:
    heard: list[tuple[str, str]] = []

    def raised(sender: Any, alert: Alert, **kwargs: Any) -> None:
        heard.append(("raised", alert.subject))

    def over(sender: Any, alert: Alert, **kwargs: Any) -> None:
        heard.append(("over", alert.subject))

    signals.alert_raised.connect(raised)
    signals.alert_over.connect(over)
    yield heard
    signals.alert_raised.disconnect(raised)
    signals.alert_over.disconnect(over)


@pytest.fixture
def server(live_server_row: Server) -> Server:
    """A live server that takes one queue only, and whatever type."""
    live_server_row.queues, live_server_row.types = ["critical"], registry.names()
    live_server_row.save()
    return live_server_row


def later(seconds: float) -> None:
    the_clock.anchor(clock.now() + timedelta(seconds=seconds))
    Server.objects.filter(kind="supervisor").update(heartbeat_at=clock.now())


def with_alerts(**alerts: Any) -> Any:
    return override_settings(DJANGO_JOBS={"RETRY": None, "APPLICATION": "tests", "ALERTS": alerts})


def rounds(watch: alerts.Watch, number: int = 2) -> None:
    for _ in range(number):
        watch.look()


# Once, and once more when it is over


def test_a_queue_without_servers_is_told_once_and_once_when_it_has_one(
    server: Server, told: list[tuple[str, str]]
) -> None:
    watch = alerts.Watch()
    adds.enqueue(1, 1)
    watch.look()
    assert told == []
    rounds(watch, 3)
    alerts.Watch().look()  # another leader
    assert told == [("raised", "Queue default")]
    Server.objects.filter(pk=server.pk).update(queues=["default"])
    watch.look()
    later(30)
    watch.look()
    assert len(told) == 1
    later(40)
    rounds(watch)
    assert told == [("raised", "Queue default"), ("over", "Queue default")]
    (alert,) = Alert.objects.all()
    assert alert.open_key is None
    assert alert.over_at is not None
    assert not alerts.open_alerts().exists()


def test_a_trouble_that_comes_back_is_told_again(server: Server, told: list[tuple[str, str]]) -> None:
    watch = alerts.Watch()
    for _ in range(2):
        adds.enqueue(1, 1)
        rounds(watch)
        Job.objects.all().delete()
        later(70)
        rounds(watch)
    assert [what for what, _ in told] == ["raised", "over"] * 2


def test_two_leaders_at_once_tell_it_once(server: Server, told: list[tuple[str, str]]) -> None:
    adds.enqueue(1, 1)
    one, other = alerts.Watch(), alerts.Watch()
    for _ in range(2):
        one.look()
        other.look()
    assert len(told) == 1


def test_many_failures_of_a_type_are_told_and_a_few_are_not(server: Server, told: list[tuple[str, str]]) -> None:
    watch = alerts.Watch()
    fails.enqueue_many([()] * (troubles.LEAST - 1))
    drain()
    rounds(watch)
    assert told == []
    fails.enqueue()
    adds.enqueue_many([(1, 1)] * 100)
    drain()
    rounds(watch)
    assert told == [("raised", "Job type tests.fails")]
    assert Alert.objects.get().found == "10 of 10 runs failed in the last 10 minutes"
    later(700)
    rounds(watch)
    later(70)
    rounds(watch)
    assert told[1:] == [("over", "Job type tests.fails")]


def test_a_broken_schedule_is_told_without_what_its_error_quotes(server: Server) -> None:
    RecurringJob.objects.add_or_update("nightly", adds, cron="0 2 * * *", args=[1, 1])
    RecurringJob.objects.update(error="CronError: the secret 4711 is no minute")
    rounds(alerts.Watch())
    alert = Alert.objects.get()
    assert (alert.kind, str(alert)) == ("schedule", "Recurring job nightly: is broken: CronError")


def test_broken_service_levels_are_told_by_type(server: Server, told: list[tuple[str, str]]) -> None:
    from django_jobs import slas

    try:
        for _ in range(3):
            job("t.urgent", max_wait=5, queue="critical")(slas.look).enqueue()
        later(9)
        slas.look()
        rounds(alerts.Watch())
        assert told == [("raised", "Job type t.urgent (max_wait)")]
        assert Alert.objects.get().found.startswith("3 job(s) waited too long in the last 10 minutes; the worst 9")
    finally:
        registry.remove("t.urgent")


def test_a_look_at_service_levels_reads_no_payloads(server: Server) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert list(troubles.service_levels()) == []
    assert not [one["sql"] for one in statements if "kwargs" in one["sql"]]


def test_a_dead_server_is_told_and_is_over_when_another_has_begun(server: Server, told: list[tuple[str, str]]) -> None:
    watch, watchdog = alerts.Watch(), Watchdog()
    watchdog._silent = lambda: [server.pk]  # type: ignore[method-assign]
    watchdog.act()
    watchdog._silent = lambda: []  # type: ignore[method-assign]
    rounds(watch)
    assert told == [("raised", "Server s")]
    later(100)
    rounds(watch)
    assert len(told) == 1
    now = clock.now()
    facts = {"host": "h", "pid": 2, "application": server.application, "started_at": now, "heartbeat_at": now}
    Server.objects.create(name="another", kind="supervisor", **facts)
    rounds(watch)
    assert told == [("raised", "Server s"), ("over", "Server s")]


def test_a_dead_server_is_over_when_another_took_its_place_before_it_was_declared_dead(
    server: Server, told: list[tuple[str, str]]
) -> None:
    """As after a restart: the time-out of the dead one ends when the other has long begun."""
    died = clock.now() - timedelta(seconds=40)
    Server.objects.filter(pk=server.pk).update(heartbeat_at=died)
    facts = {"host": "h", "pid": 2, "application": server.application, "heartbeat_at": clock.now()}
    older = Server.objects.create(name="older", kind="supervisor", started_at=died - timedelta(hours=1), **facts)
    watchdog = Watchdog()
    watchdog._silent = lambda: [server.pk]  # type: ignore[method-assign]
    watchdog.act()
    assert Alert.objects.get().since == died
    rounds(alerts.Watch())
    assert told == [("raised", "Server s")]
    Server.objects.filter(pk=older.pk).update(started_at=died + timedelta(seconds=3))
    rounds(alerts.Watch())
    assert told == [("raised", "Server s"), ("over", "Server s")]


def test_a_dead_server_whose_place_nobody_takes_is_over_one_day(server: Server, told: list[tuple[str, str]]) -> None:
    died, watch = clock.now(), alerts.Watch()
    alerts.server_died(Server(name="retired", kind="supervisor", application="retired", heartbeat_at=died))
    later(29 * 86400)
    rounds(watch)
    assert told == [("raised", "Server retired")]
    later(2 * 86400)
    rounds(watch)
    assert told == [("raised", "Server retired"), ("over", "Server retired")]


def test_what_has_been_over_for_long_is_deleted(server: Server) -> None:
    adds.enqueue(1, 1)
    watch = alerts.Watch()
    rounds(watch)
    Job.objects.all().delete()
    later(70)
    rounds(watch)
    cleaner.clean()
    assert Alert.objects.count() == 1
    later(31 * 86400)
    cleaner.clean()
    assert Alert.objects.count() == 0


@pytest.mark.processes
def test_real_servers_tell_of_a_queue_and_of_a_server_that_was_killed(runjobs: Any) -> None:
    quick = {
        "DJANGO_JOBS_SWEEP_INTERVAL": "0.3",
        "DJANGO_JOBS_SERVER_TIMEOUT": "3",
        "DJANGO_JOBS_HEARTBEAT_INTERVAL": "0.5",
    }
    victim: RunJobs = runjobs("--queues", "critical", "--processes", "1", "--no-scheduler", environment=quick)
    runjobs("--queues", "default", "--processes", "1", environment=quick)
    adds.using(queue="low-priority").enqueue(1, 1)
    eventually(lambda: Alert.objects.filter(subject="Queue low-priority").exists())
    os.killpg(victim.pid, signal.SIGKILL)
    eventually(lambda: Alert.objects.filter(subject=f"Server {victim.name}").exists(), timeout=30)


# Mail


def test_mail_goes_out_by_a_job_in_a_queue_that_is_served(server: Server) -> None:
    with with_alerts(**MAILED):
        adds.enqueue(1, 1)
        watch = alerts.Watch()
        rounds(watch)
        (sender,) = Job.objects.filter(job_type=telling.MAIL)
        assert sender.queue == "critical"
        drain(queues=["critical"])
        Job.objects.all().delete()
        later(70)
        rounds(watch)
        drain(queues=["critical"])
    assert [letter.subject for letter in mail.outbox] == [
        "[tests] Queue default: 1 job(s) wait, no server takes it",
        "[tests] Over: Queue default: 1 job(s) wait, no server takes it",
    ]
    assert all(letter.to == ["ops@example.com"] for letter in mail.outbox)
    assert "Start runjobs with --queues default" in mail.outbox[0].body
    assert "Over since" in mail.outbox[1].body


def test_where_nobody_would_run_the_job_the_leader_tells_itself(receiver: Receiver) -> None:
    given = {"webhook": receiver.url, "secret": SECRET, "allow_private": ["localhost"]}
    with with_alerts(**MAILED, **given):
        adds.enqueue(1, 1)
        rounds(alerts.Watch())
        eventually(lambda: mail.outbox and receiver.heard)
        eventually(lambda: not any(one.name == "django-jobs-alert" for one in threading.enumerate()))
    assert not Job.objects.exclude(job_type="tests.adds").exists()


# The webhook


def test_a_webhook_is_signed_and_tried_again_until_it_is_taken(server: Server, receiver: Receiver) -> None:
    receiver.answers = [500, 302]
    with with_alerts(webhook=receiver.url, secret=SECRET, allow_private=["localhost"]):
        adds.enqueue(1, 1)
        rounds(alerts.Watch())
        drain(queues=["critical"], until=timedelta(minutes=10))
    (sender,) = Job.objects.filter(job_type=telling.POST)
    assert (sender.state, sender.failures) == ("succeeded", 2)
    assert receiver.events == [("raised", "Queue default")] * 3
    headers, body = receiver.heard[0]
    at, signed = (part.partition("=")[2] for part in headers[telling.SIGNATURE].split(","))
    assert signed == hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert len({one[telling.DELIVERY] for one, _ in receiver.heard}) == 1
    assert SECRET not in json.dumps([sender.args, sender.kwargs, sender.headers])


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answers = [307]
    with pytest.raises(WebhookFailed, match="answered 307"):
        webhook.post(receiver.url, b"{}", {}, allow_private=["localhost"])
    assert len(receiver.heard) == 1


def test_a_private_address_is_refused_unless_its_host_is_allowed(receiver: Receiver) -> None:
    with pytest.raises(WebhookRefused, match="not public; ALERTS\\['allow_private'\\] may list the host"):
        webhook.post(receiver.url, b"{}", {})
    assert receiver.heard == []
    webhook.post(receiver.url, b"{}", {}, allow_private=["localhost"])
    assert len(receiver.heard) == 1


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1"),
        *("[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
        *("2130706433", "0x7f.1", "localhost"),
    ],
)
def test_no_spelling_of_an_inner_address_gets_through(host: str) -> None:
    with pytest.raises(WebhookRefused):
        webhook.post(f"http://{host}/", b"{}", {})


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "http://", "http://a:b@example.com/", "http://[", "http://x:99999/"],
)
def test_what_is_no_address_of_a_webhook_is_refused(url: str) -> None:
    with pytest.raises(WebhookRefused):
        webhook.post(url, b"{}", {})


def test_what_was_checked_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is looked up first, and private the second time."""
    lookups: list[str] = []
    dialled: list[str] = []

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        lookups.append(host)
        return [(2, 1, 6, "", ("93.184.216.34" if len(lookups) == 1 else "127.0.0.1", 80))]

    def dial(address: tuple[str, int], **kwargs: Any) -> Any:
        dialled.append(address[0])
        raise OSError("unreachable")

    monkeypatch.setattr(webhook.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(webhook.socket, "create_connection", dial)
    with pytest.raises(WebhookFailed):
        webhook.post("http://rebinds.example.com/", b"{}", {})
    assert dialled == ["93.184.216.34"]


# Settings


@pytest.mark.parametrize(
    "wrong", [{"mial": []}, {"mail": "ops@example.com"}, {"webhook": "https://example.com/"}, {"queue": "nowhere"}, []]
)
def test_wrong_settings_are_told_at_start_without_the_secret(wrong: Any) -> None:
    given = {**wrong, "secret": SECRET} if isinstance(wrong, dict) and "webhook" not in wrong else wrong
    with override_settings(DJANGO_JOBS={"ALERTS": given}):
        (message,) = checks.check_settings(None)
    assert message.id == "django_jobs.E002"
    assert SECRET not in f"{message.msg} {message.hint}"


def test_the_doctor_and_the_alerts_tell_of_the_same_queues(server: Server) -> None:
    adds.enqueue(1, 1)
    found = {one.subject for one in doctor.waiting() if one.level == "error"}
    assert found == {one.subject for one in troubles.queues()} == {"Queue default"}


def test_the_documented_receiver_knows_what_is_genuine() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/how-to/alerts.md").read_text()
    (source,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "is_genuine" in block)
    shown: dict[str, Any] = {}
    exec(source, shown)
    header = telling.signature(b"{}", SECRET, int(clock.now().timestamp()))
    assert shown["is_genuine"](b"{}", header, SECRET)
    assert not shown["is_genuine"](b"{ }", header, SECRET)
    assert not shown["is_genuine"](b"{}", header, "another")
    assert not shown["is_genuine"](b"{}", telling.signature(b"{}", SECRET, 1), SECRET)
