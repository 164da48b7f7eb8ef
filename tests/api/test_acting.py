"""What people do by the REST API is in the admin's log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry

from django_jobs import Batch, signals
from django_jobs.dashboard import actlog
from django_jobs.models import Queue, RecurringJob, Server
from tests.api.conftest import Caller
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)

DONE = {"pause": "Paused.", "resume": "Resumed.", "cancel": "Cancelled.", "requeue": "Requeued."}
TERMS = {"job_type": "tests.adds", "args": [1, 2], "cron": "0 2 * * *"}


def told() -> list[tuple[int, str, str]]:
    """What the log says since the last time, the oldest first: flag, object and text."""
    entries = list(LogEntry.objects.select_related("user").order_by("pk"))
    LogEntry.objects.all().delete()
    assert {entry.user.username for entry in entries} <= {"root"}
    return [(entry.action_flag, entry.object_id or "", entry.get_change_message()) for entry in entries]


def test_verbs_on_jobs_are_logged_where_they_moved_something(root: Caller) -> None:
    job = succeeds.enqueue()
    key = str(job.pk)
    for verb, text in {
        "pause": "Paused.",
        "resume": "Resumed.",
        "cancel": "Cancelled.",
        "requeue": "Requeued.",
    }.items():
        assert root("post", f"jobs/{key}/{verb}/")[0] == 200
        assert told() == [(CHANGE, key, text)]
    assert root("post", f"jobs/{key}/resume/")[0] == 409
    assert told() == []
    other = succeeds.enqueue()
    root("post", f"jobs/{other.pk}/reschedule/", {"delay": 60})
    root("delete", f"jobs/{other.pk}/")
    assert told() == [(CHANGE, str(other.pk), "Changed scheduled_at."), (CHANGE, str(other.pk), "Deleted.")]
    root("post", "jobs/", {"job_type": "tests.succeeds"})
    assert told() == []


def test_a_cancel_by_force_is_logged_as_one(root: Caller) -> None:
    job = succeeds.enqueue()
    root("post", f"jobs/{job.pk}/cancel/", {"force": True})
    assert told() == [(CHANGE, str(job.pk), "Cancelled by force.")]


def test_orders_to_servers_are_logged(root: Caller, live_server_row: Server) -> None:
    for order in ("quiet", "resume", "stop"):
        assert root("post", f"servers/{live_server_row.pk}/{order}/")[0] == 200
    key = str(live_server_row.pk)
    texts = ["Asked to take no new jobs.", "Asked to work again.", "Asked to stop."]
    assert told() == [(CHANGE, key, text) for text in texts]


def test_what_is_done_to_queues_is_logged(root: Caller) -> None:
    succeeds.enqueue()
    pauses: list[dict[str, Any]] = [{}, {"seconds": 90}, {"until": "2999-01-01T00:00:00Z"}]
    for verb, body in [*(("pause", pause) for pause in pauses), ("resume", {}), ("purge", {})]:
        assert root("post", f"queues/default/{verb}/", body)[0] == 200
    entries = told()
    assert {(flag, name) for flag, name, _ in entries} == {(CHANGE, "default")}
    texts = [text for _, _, text in entries]
    assert texts[:2] == ["Queue default is paused.", "Queue default is paused for 1 min 30 s."]
    assert re.fullmatch(r"Queue default is paused for \d+ d \d+ h\.", texts[2])
    assert texts[3:] == ["Queue default goes on.", "Queue default was purged: 1 jobs were deleted."]
    assert root("post", "queues/default/pause/", {"seconds": 1, "until": "x"})[0] == 400
    assert told() == []


def test_what_is_done_to_a_recurring_job_is_logged_with_what_changed(root: Caller) -> None:
    steps: list[tuple[str, str, Any, list[tuple[int, str]]]] = [
        ("post", "", {**TERMS, "id": "nightly"}, [(ADDITION, "Added.")]),
        ("put", "nightly/", TERMS, []),
        ("put", "nightly/", {**TERMS, "args": [3, 4], "cron": "@daily"}, [(CHANGE, "Changed args and cron.")]),
        ("patch", "nightly/", {"priority": 5}, [(CHANGE, "Changed priority.")]),
        ("patch", "nightly/", {"priority": 5}, []),
        ("post", "nightly/trigger/", None, [(CHANGE, "Triggered.")]),
        ("post", "nightly/disable/", None, [(CHANGE, "Disabled.")]),
        ("post", "nightly/disable/", None, []),
        ("post", "nightly/enable/", None, [(CHANGE, "Enabled.")]),
        ("patch", "nightly/", {"priority": 500}, []),
        ("delete", "nightly/", None, [(DELETION, "")]),
        ("delete", "nightly/", None, []),
    ]
    for method, path, body, expected in steps:
        root(method, f"recurring-jobs/{path}", body)
        got = [(flag, "" if flag == DELETION else text) for flag, key, text in told() if key == "nightly"]
        assert got == expected, (method, path, body)


def test_a_batch_is_logged_as_cancelled_once(root: Caller) -> None:
    batch = Batch.start("one", [succeeds.bind()])
    root("post", f"batches/{batch.pk}/cancel/")
    root("post", f"batches/{batch.pk}/cancel/")
    assert told() == [(CHANGE, str(batch.pk), "Cancelled.")]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_actions(*args: Any, **kwargs: Any) -> None:
        raise ValueError("no room")

    monkeypatch.setattr(type(LogEntry.objects), "log_actions", log_actions)


@pytest.mark.usefixtures("breaks")
def test_no_act_stays_without_its_entry(root: Caller, live_server_row: Server) -> None:
    job, batch = succeeds.enqueue(), Batch.start("one", [succeeds.bind()])
    RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="@daily")
    for path, method in {
        f"jobs/{job.pk}/cancel/": "post",
        f"batches/{batch.pk}/cancel/": "post",
        f"servers/{live_server_row.pk}/stop/": "post",
        "queues/default/pause/": "post",
        "recurring-jobs/nightly/disable/": "post",
        "recurring-jobs/nightly/": "delete",
    }.items():
        with pytest.raises(ValueError, match="no room"):
            root(method, path)
    for row in (job, batch, live_server_row):
        row.refresh_from_db()
    assert (job.state, batch.cancelled_at, live_server_row.wanted) == ("enqueued", None, "")
    assert RecurringJob.objects.get().enabled
    assert not Queue.objects.filter(paused=True).exists()


def test_a_site_without_the_admin_hears_the_signal_alone(root: Caller) -> None:
    heard: list[Any] = []

    def hear(sender: Any, **facts: Any) -> None:
        heard.append((sender, facts["by"].username, facts["act"], facts["on"].name, facts["facts"]))

    signals.acted.disconnect(dispatch_uid="django_jobs.dashboard.actlog")
    signals.acted.connect(hear)
    try:
        assert root("post", "queues/default/pause/")[0] == 200
    finally:
        signals.acted.disconnect(hear)
        signals.acted.connect(actlog.write_down, dispatch_uid="django_jobs.dashboard.actlog")
    assert heard == [(Queue, "root", "pause", "default", {"until": None})]
    assert told() == []


def test_a_caller_who_is_no_user_of_the_site_has_no_log() -> None:
    class Stranger:
        pk = 99999999

    signals.acted.send(Queue, by=Stranger(), act="resume", on=Queue(name="default"), facts={})
    assert told() == []
