"""Every finding names its remedy, and a healthy site has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings

from django_jobs import clock, doctor, queues
from django_jobs.masking import HIDDEN
from django_jobs.models import Breach, Counter, Job, Lease, RecurringJob, Server
from django_jobs.states import machine
from django_jobs.states.moves import Target
from tests.app.jobs import adds, fails
from tests.app.people import signs_in
from tests.servers import RunJobs, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def found(subject: str) -> doctor.Finding:
    findings = [finding for finding in doctor.examine() if finding.subject.startswith(subject)]
    assert findings, f"nothing about {subject}: {doctor.examine()}"
    return findings[0]


def test_a_site_without_servers_is_told_what_to_start() -> None:
    adds.enqueue(1, 1)
    findings = doctor.examine()
    wrong = {finding.subject: finding for finding in findings if finding.level != "ok"}
    assert set(wrong) == {"Servers", "Scheduler", "Queue default", "Dashboard"}
    assert all(finding.remedy for finding in wrong.values())
    assert "runjobs" in wrong["Servers"].remedy


def test_migrations_that_are_missing_are_named() -> None:
    MigrationRecorder.Migration.objects.filter(app="django_jobs").delete()
    try:
        finding = found("Migrations")
        assert finding.level == "error"
        assert finding.found.startswith("not applied: 0001_initial")
    finally:
        call_command("migrate", "django_jobs", fake=True, verbosity=0)


def test_a_redis_that_is_away_is_told() -> None:
    away = {"URL": "redis://127.0.0.1:1/0"}
    with override_settings(RQ_QUEUES={"default": away, "mail": away}):
        finding = found("Redis of default, mail")
    assert finding.level == "error"
    assert "wait" in finding.remedy


def test_a_type_that_nobody_knows_is_told(live_server_row: Server) -> None:
    job = adds.enqueue(1, 1)
    Job.objects.filter(pk=job.pk).update(job_type="gone.away")
    assert found("Job type gone.away").level == "error"


def test_a_long_wait_and_a_silent_server_are_warned_of(live_server_row: Server) -> None:
    job = adds.enqueue(1, 1)
    Job.objects.filter(pk=job.pk).update(state_at=clock.now() - timedelta(hours=2))
    assert "the oldest for 2:00" in found("Queue default").found
    past = clock.now() - timedelta(minutes=5)
    Server.objects.create(name="old", kind="supervisor", host="h", pid=1, started_at=past, heartbeat_at=past)
    assert found("Server old").level == "warning"


def test_an_old_job_that_is_requeued_hides_no_long_wait(live_server_row: Server) -> None:
    old, waiting = adds.enqueue(1, 1), adds.enqueue(2, 2)
    Job.objects.filter(pk=waiting.pk).update(state_at=clock.now() - timedelta(hours=2))
    assert old.cancel()
    assert old.requeue()
    assert "the oldest for 2:00" in found("Queue default").found


def test_overdue_and_ownerless_jobs_are_told() -> None:
    late = adds.schedule(timedelta(hours=1), 1, 1)
    held = adds.enqueue(1, 1)
    machine.claim([held.pk], ["tests.adds"], "gone/1")
    past = clock.now() - timedelta(minutes=5)
    Job.objects.filter(pk=late.pk).update(scheduled_at=past)
    Job.objects.filter(pk=held.pk).update(state_at=past)
    assert found("Delayed jobs").level == found("Running jobs").level == "error"


def test_many_failures_are_told_with_their_commonest_reason() -> None:
    jobs = [fails.enqueue("no paper") for _ in range(3)]
    machine.move([job.pk for job in jobs], Target("failed", "ValueError: no paper"), expected={"enqueued"})
    finding = found("Failures")
    assert finding.level == "warning"
    assert "3 of 3 runs" in finding.found
    assert "ValueError: no paper" in finding.quote


def test_failures_are_told_also_when_an_hour_has_just_begun() -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    for hours, value in ((0, 1), (1, 20), (2, 300)):
        Counter.objects.create(name="failed", hour=hour - timedelta(hours=hours), value=value)
    assert found("Failures").found == "21 of 21 runs failed in the last two hours"


def test_the_commonest_reason_quotes_nothing_sensitive() -> None:
    job = signs_in.enqueue(1, "open sesame")
    machine.move([job.pk], Target("failed", "ValueError: no open sesame today"), expected={"enqueued"})
    assert found("Failures").quote == f", most often with: ValueError: no {HIDDEN} today"


def test_workers_that_do_not_suffice_are_told(live_server_row: Server) -> None:
    job = adds.enqueue(1, 1)
    Job.objects.filter(pk=job.pk).update(state_at=clock.now() - timedelta(minutes=1))
    assert list(doctor.capacity()) == []
    Server.objects.update(busy=1)
    (finding,) = doctor.capacity()
    assert finding.found == "all 1 worker(s) are busy, while jobs wait in default"
    assert "--processes" in finding.remedy


def test_types_that_broke_their_service_level_lately_are_told() -> None:
    jobs = adds.enqueue_many([(1, 1)] * 3)
    now = clock.now()
    for job, kind, age in zip(jobs, ("max_run", "max_run", "max_wait"), (0, 1, 3), strict=True):
        at = now - timedelta(hours=age)
        Breach.objects.create(job=job, kind=kind, attempt=1, limit=1, seconds=2, noticed_at=at)
    assert [(finding.subject, finding.found) for finding in doctor.slow()] == [
        ("Job type tests.adds", "2 job(s) ran longer than its max_run in the last two hours")
    ]


def test_failed_jobs_whose_arguments_no_longer_fit_are_told() -> None:
    reasons = ["TypeError: adds() missing 1 required positional argument: 'y'", "TypeError: other() takes 1", "OSError"]
    reasons.append("django_jobs.exceptions.InvalidArgument: x: is no number")
    for reason in reasons:
        machine.move([adds.enqueue(1, 1).pk], Target("failed", reason), expected={"enqueued"})
    (finding,) = doctor.arguments()
    assert finding.found == "2 failed job(s) have arguments that it does not take"
    assert "default" in finding.remedy


def test_a_wrong_setting_is_told() -> None:
    with override_settings(DJANGO_JOBS={"BATCH": "many"}):
        assert found("Settings (django_jobs.E002)").level == "error"


@pytest.mark.parametrize("entry", [{"URL": None}, {"HOST": "localhost"}, "redis://localhost"])
def test_a_queue_without_an_address_keeps_no_other_finding_from_being_told(entry: Any) -> None:
    with override_settings(RQ_QUEUES={"default": entry}):
        assert found("Settings (django_jobs.W004)").level == "warning"
        assert found("redis").found.startswith("could not be examined")
        assert found("Servers").found == "none runs, so no job does"


def test_the_scheduler_that_leads_is_named() -> None:
    Lease.objects.create(name="scheduler", holder="web/3", until=clock.now() + timedelta(seconds=9))
    assert found("Scheduler").found == "web/3 leads"


@pytest.mark.processes
def test_a_healthy_site_has_no_finding(runjobs: Callable[..., RunJobs], admin_user: Any) -> None:
    server = runjobs("--processes", "1")
    eventually(lambda: "leads" in server.log)
    assert adds.enqueue(1, 1).wait(20).result == 2
    assert [finding for finding in doctor.examine() if finding.level != "ok"] == []
    out = StringIO()
    call_command("jobs", "doctor", "--json", stdout=out)
    assert {finding["level"] for finding in json.loads(out.getvalue())} == {"ok"}


def test_the_command_exits_with_a_status_for_scripts() -> None:
    out = StringIO()
    with pytest.raises(CommandError, match=r"thing\(s\) are wrong"):
        call_command("jobs", "doctor", stdout=out)
    assert "→ Start `manage.py runjobs`" in out.getvalue()


def test_cleanup_tells_and_deletes() -> None:
    jobs = adds.enqueue_many([(1, 1)] * 3)
    machine.move([job.pk for job in jobs], Target("deleted", "test"), expected={"enqueued"})
    Job.objects.filter(pk=jobs[0].pk).update(expires_at=clock.now() - timedelta(seconds=1))
    out = StringIO()
    call_command("jobs", "cleanup", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"would_delete": {"deleted": 1, "failed": 0, "succeeded": 0}}
    assert Job.objects.count() == 3
    call_command("jobs", "cleanup", stdout=out)
    assert Job.objects.count() == 2


def test_jobs_are_cancelled_requeued_and_deleted_by_id() -> None:
    jobs = adds.enqueue_many([(1, 1)] * 3)
    ids = [str(job.pk) for job in jobs]
    out = StringIO()
    call_command("jobs", "cancel", *ids[:2], stdout=out)
    call_command("jobs", "requeue", ids[0], stdout=out)
    with pytest.raises(CommandError, match=r"Not requeued: #\d+ tests.adds; that is possible from awaiting, deleted"):
        call_command("jobs", "requeue", ids[2], ids[1], stdout=out)
    call_command("jobs", "delete", ids[2], stdout=out)
    assert out.getvalue().splitlines() == [
        "2 of 2 job(s) cancelled",
        "1 of 1 job(s) requeued",
        "1 of 2 job(s) requeued",
        "1 of 1 job(s) deleted",
    ]
    with pytest.raises(CommandError, match="There is no job 999999"):
        call_command("jobs", "cancel", "999999", stdout=out)
    assert dict(Job.objects.values_list("pk", "state"))[jobs[2].pk] == "deleted"


def test_servers_are_listed_and_asked(live_server_row: Server) -> None:
    out = StringIO()
    call_command("jobs", "servers", stdout=out)
    assert live_server_row.name in out.getvalue()
    call_command("jobs", "servers", "quiet", live_server_row.name, stdout=out)
    live_server_row.refresh_from_db()
    assert live_server_row.wanted == "quiet"
    call_command("jobs", "servers", "resume", "all", stdout=out)
    live_server_row.refresh_from_db()
    assert live_server_row.wanted == ""
    with pytest.raises(CommandError, match="alive: s"):
        call_command("jobs", "servers", "stop", "nobody", stdout=out)


def test_a_types_own_retention_wins() -> None:
    assert queues.names()
    from tests.app.jobs import is_kept_short

    short, usual = is_kept_short.enqueue(), adds.enqueue(1, 1)
    machine.move([short.pk, usual.pk], Target("deleted", "test"), expected={"enqueued"})
    short.refresh_from_db()
    usual.refresh_from_db()
    assert short.expires_at - short.state_at == timedelta(minutes=5)
    assert usual.expires_at - usual.state_at == timedelta(days=1)


def test_recurring_jobs_that_stopped_are_told() -> None:
    for id in ("broken", "orphan", "overdue", "fine"):
        RecurringJob.objects.add_or_update(id, "tests.succeeds", cron="@daily")
    assert list(doctor.recurring()) == []
    past = clock.now() - timedelta(minutes=5)
    RecurringJob.objects.filter(pk="broken").update(error="InvalidCron: no", next_run=None)
    RecurringJob.objects.filter(pk="orphan").update(orphaned_at=past, next_run=None)
    RecurringJob.objects.filter(pk="overdue").update(next_run=past)
    found = [(finding.level, finding.found) for finding in doctor.recurring()]
    assert found == [
        ("error", "broken: broken"),
        ("warning", "no longer declared, so they stopped: orphan"),
        ("error", "overdue: overdue"),
    ]
