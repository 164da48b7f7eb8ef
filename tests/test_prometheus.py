"""The metrics, read by Prometheus' own parser; the numbers are the rows', the board asks for no others."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from django_jobs import clock, monitoring, tallies
from django_jobs.clock import clock as the_clock
from django_jobs.conf import settings
from django_jobs.models import Bookmark, Counter, JobState, RecurringJob, Server, Tally
from django_jobs.server import dispatcher, recurring
from django_jobs.states import machine
from django_jobs.testing import drain
from tests.app.jobs import adds, fails, fails_twice, succeeds
from tests.servers import RunJobs, eventually

pytestmark = pytest.mark.django_db(transaction=True)

BOARD = Path(__file__).resolve().parent.parent / "docs/how-to/files/grafana.json"
TOKEN = {"METRICS_TOKEN": "let me see"}
Found = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def with_token() -> Iterator[None]:
    with override_settings(DJANGO_JOBS={"RETRY": None, **TOKEN}):
        yield


def text(accept: str = "text/plain") -> str:
    response = Client().get("/metrics/", headers={"authorization": "Bearer let me see", "accept": accept})
    assert response.status_code == 200
    return response.content.decode()


def scraped() -> Found:
    return {
        (sample.name.removeprefix("django_jobs_"), frozenset(sample.labels.items())): sample.value
        for family in parse(text())
        for sample in family.samples
    }


def value(found: Found, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def later(seconds: float) -> None:
    the_clock.anchor(clock.now() + timedelta(seconds=seconds))


# What is told


def test_jobs_are_told_by_type_queue_and_state() -> None:
    adds.enqueue_many([(1, 1)] * 3)
    adds.using(queue="low-priority").enqueue(1, 1)
    succeeds.schedule(timedelta(hours=1))
    found = scraped()
    assert value(found, "jobs", type="tests.adds", queue="default", state="enqueued") == 3
    assert value(found, "jobs", type="tests.adds", queue="low-priority", state="enqueued") == 1
    assert value(found, "jobs", type="tests.succeeds", queue="default", state="scheduled") == 1
    assert value(found, "queue_length", queue="default") == 3
    assert value(found, "jobs_capped", state="enqueued") == 0


def test_a_count_that_stopped_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "CAP", 2)
    adds.enqueue_many([(1, 1)] * 3)
    found = scraped()
    assert value(found, "jobs", type="tests.adds", queue="default", state="enqueued") == 2
    assert value(found, "jobs_capped", state="enqueued") == 1


def test_runs_become_counters_and_histograms() -> None:
    adds.enqueue_many([(1, 1)] * 4)
    fails.enqueue()
    cancelled = succeeds.enqueue()
    cancelled.cancel()
    drain()
    tallies.add_up()
    found = scraped()
    assert value(found, "runs_total", type="tests.adds", queue="default", outcome="succeeded") == 4
    assert value(found, "runs_total", type="tests.fails", queue="default", outcome="failed") == 1
    assert value(found, "runs_total", type="tests.succeeds", queue="default", outcome="deleted") == 1
    run = {"type": "tests.adds", "queue": "default", "outcome": "succeeded"}
    assert value(found, "run_seconds_count", **run) == 4
    assert value(found, "run_seconds_bucket", **run, le="+Inf") == 4
    spent = value(found, "run_seconds_sum", **run)
    rows = JobState.objects.filter(name="succeeded").values_list("data", flat=True)
    assert spent == pytest.approx(sum(data["seconds"] for data in rows))
    assert value(found, "wait_seconds_count", type="tests.adds", queue="default") == 4


def test_each_run_is_in_the_bucket_of_its_seconds() -> None:
    adds.enqueue_many([(1, 1)] * 3)
    drain()
    for row, seconds in zip(JobState.objects.filter(name="succeeded"), [0.005, 0.3, 20_000], strict=True):
        JobState.objects.filter(pk=row.pk).update(data={"seconds": seconds})
    tallies.add_up()
    tally = Tally.objects.get(kind="succeeded")
    held = {(*tallies.BOUNDS, None)[place]: number for place, number in enumerate(tally.buckets) if number}
    assert held == {0.005: 1, 0.5: 1, None: 1}
    assert tally.seconds == pytest.approx(20_000.305)


def test_a_wait_is_counted_from_when_the_job_came_into_its_queue() -> None:
    at_once = adds.enqueue(1, 1)
    delayed = adds.schedule(timedelta(seconds=100), 1, 1)
    again = fails_twice.enqueue()
    machine.claim([again.pk], ["tests.fails_twice"], "w")
    machine.give_back([(again.pk, 1)], "w", "Put back")
    later(107)
    dispatcher.dispatch_due()
    later(4)
    machine.claim([at_once.pk, delayed.pk, again.pk], ["tests.adds", "tests.fails_twice"], "w")
    tallies.add_up()
    waits = {tally.job_type: tally for tally in Tally.objects.filter(kind="wait")}
    assert waits["tests.adds"].seconds == pytest.approx(111 + 4, abs=1)
    assert (waits["tests.fails_twice"].number, waits["tests.fails_twice"].seconds) == (2, pytest.approx(111, abs=1))


def test_the_lateness_of_a_schedule_is_a_histogram_and_what_is_overdue_a_number() -> None:
    RecurringJob.objects.add_or_update("each-hour", adds, cron="0 * * * *", args=[1, 1])
    due = RecurringJob.objects.get().next_run
    assert due is not None
    the_clock.anchor(due + timedelta(seconds=40))
    assert value(scraped(), "schedule_overdue_seconds") == pytest.approx(40, abs=2)
    recurring.fire_due()
    drain()
    tallies.add_up()
    found = scraped()
    assert value(found, "schedule_overdue_seconds") == 0
    run = {"type": "tests.adds", "queue": "default"}
    assert value(found, "schedule_lateness_seconds_bucket", **run, le="30.0") == 0
    assert value(found, "schedule_lateness_seconds_bucket", **run, le="60.0") == 1


def test_servers_bells_and_stale_writes_are_told(live_server_row: Server) -> None:
    Server.objects.update(busy=1, memory=1000)
    Counter.add(settings.DATABASE, Counter.RUNG, 3)
    Counter.add(settings.DATABASE, Counter.RUNG, 2)
    adds.enqueue(1, 1)
    later(90)
    Server.objects.update(heartbeat_at=clock.now())
    found = scraped()
    here = {"application": live_server_row.application}
    assert [value(found, name, **here) for name in ("servers", "worker_slots", "worker_slots_busy")] == [1, 1, 1]
    assert value(found, "memory_bytes", **here) == 1000
    assert value(found, "bells_rung_again_total") == 5
    assert value(found, "stale_writes_total") == 0
    assert value(found, "queue_servers", queue="default") == 1
    assert value(found, "queue_oldest_seconds", queue="default") == pytest.approx(90, abs=2)
    assert value(found, "leader") == 0


# Adding up


def test_nothing_is_added_twice_and_nothing_is_left_out() -> None:
    for _ in range(3):
        adds.enqueue_many([(1, 1)] * 2)
        drain()
        tallies.add_up()
        tallies.add_up()
    assert Tally.objects.get(kind="succeeded").number == 6


def test_pages_add_up_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "PAGE", 3)
    monkeypatch.setattr(tallies, "ROUNDS", 2)
    adds.enqueue_many([(1, 1)] * 10)
    drain()
    rounds = 1
    while tallies.add_up() is not None:
        rounds += 1
    assert rounds > 2
    assert Tally.objects.get(kind="succeeded").number == Tally.objects.get(kind="wait").number == 10


def test_a_row_that_appears_below_the_bookmark_is_added_later() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    adds.enqueue_many([(1, 1)] * 3)
    drain()
    late = JobState.objects.filter(name="succeeded").order_by("pk")[1]
    JobState.objects.filter(pk=late.pk).delete()
    tallies.add_up()
    assert Tally.objects.get(kind="succeeded").number == 2
    late.save(force_insert=True)
    tallies.add_up()
    tallies.add_up()
    assert Tally.objects.get(kind="succeeded").number == 3


def test_a_crash_between_the_sums_and_the_bookmark_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    adds.enqueue(1, 1)
    drain()

    def dies(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tallies.json, "dumps", dies)
        with pytest.raises(KeyboardInterrupt):
            tallies.add_up()
    assert not Tally.objects.exists()
    tallies.add_up()
    assert Tally.objects.get(kind="succeeded").number == 1
    assert Bookmark.objects.count() == 1


@pytest.mark.processes
def test_a_real_server_adds_up_counts_lost_bells_and_is_seen(runjobs: Any, redis_client: Any) -> None:
    adds.enqueue_many([(1, 1)] * 20)
    redis_client.flushdb()
    quick = {"DJANGO_JOBS_METRICS_INTERVAL": "0.2", "DJANGO_JOBS_SWEEP_INTERVAL": "0.5"}
    server: RunJobs = runjobs("--processes", "2", environment=quick)
    run = {"type": "tests.adds", "queue": "default", "outcome": "succeeded"}
    eventually(lambda: value(scraped(), "runs_total", **run) == 20)
    found = scraped()
    assert value(found, "bells_rung_again_total") == 20
    assert value(found, "leader") == 1
    assert value(found, "worker_slots", application="tests") == 2
    assert server.log


# The door


def test_a_stranger_gets_nothing_and_a_wrong_token_no_more() -> None:
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic let me see"}):
        response = Client().get("/metrics/", headers=headers)
        assert (response.status_code, b"django_jobs_" in response.content) == (401, False)
    assert Client().post("/metrics/").status_code == 405


@override_settings(DJANGO_JOBS={"METRICS_TOKEN": None})
def test_without_a_token_in_the_settings_no_token_opens() -> None:
    for shown in ("", "None"):
        assert Client().get("/metrics/", headers={"authorization": f"Bearer {shown}"}).status_code == 401


def test_a_user_needs_the_permission_to_see_jobs(client: Client) -> None:
    user = User.objects.create_user("ada")
    client.force_login(user)
    assert client.get("/metrics/").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    assert client.get("/metrics/").status_code == 200


def test_both_formats_are_spoken() -> None:
    adds.enqueue(1, 1)
    drain()
    tallies.add_up()
    families = {family.name for family in parse_open(text("application/openmetrics-text; version=1.0.0"))}
    assert {"django_jobs_runs", "django_jobs_wait_seconds"} <= families


def test_a_scrape_asks_a_fixed_number_of_questions(client: Client) -> None:
    adds.enqueue(1, 1)
    with CaptureQueriesContext(connection) as before:
        text()
    for number in range(3):
        adds.enqueue_many([(number, 1)] * 50)
        RecurringJob.objects.add_or_update(f"r{number}", adds, cron="0 0 1 1 *", args=[1, 1])
    with CaptureQueriesContext(connection) as after:
        text()
    assert len(after) == len(before) < 40


# The board


def _samples() -> dict[str, set[str]]:
    """Every sample that is told, with its labels."""
    adds.enqueue(1, 1)
    fails.enqueue()
    RecurringJob.objects.add_or_update("each-hour", adds, cron="0 * * * *", args=[1, 1])
    due = RecurringJob.objects.get().next_run
    assert due is not None
    the_clock.anchor(due + timedelta(seconds=1))
    Server.objects.update(heartbeat_at=clock.now())
    recurring.fire_due()
    drain()
    adds.enqueue(1, 1)
    tallies.add_up()
    found: dict[str, set[str]] = {}
    for family in parse(text()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_the_board_asks_only_for_metrics_and_labels_that_exist(live_server_row: Server) -> None:
    samples = _samples()
    board = json.loads(BOARD.read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [entry["definition"] for entry in board["templating"]["list"] if "definition" in entry]
    assert len(asked) > 20
    for expression in asked:
        names = re.findall(r"django_jobs_\w+", expression)
        assert names, expression
        for name, labels in re.findall(r"(django_jobs_\w+)(?:\{([^}]*)\})?", expression):
            assert name in samples, name
            assert set(re.findall(r"(\w+)=~?\"", labels)) <= samples[name], expression
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        assert grouped <= set.intersection(*(samples[name] for name in names)), expression


def test_every_metric_is_on_the_board_and_in_the_reference(live_server_row: Server) -> None:
    board, page = BOARD.read_text(), (BOARD.parent.parent / "metrics.md").read_text()
    for name in {re.sub("_(bucket|count|sum)$", "", name) for name in _samples()}:
        assert name in board, name
        assert f"`{name}`" in page, name


def test_names_that_differ_in_case_alone_stop_no_metrics() -> None:
    """MariaDB takes them for the same."""
    for name in ("tests.adds", "TESTS.ADDS"):
        job = adds.enqueue(1, 2)
        drain()
        job.refresh_from_db()
        type(job).objects.filter(pk=job.pk).update(job_type=name)
        tallies.add_up()
    assert sum(Tally.objects.filter(kind=Tally.Kind.SUCCEEDED).values_list("number", flat=True)) == 2
