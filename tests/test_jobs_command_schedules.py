"""`jobs schedules`, `jobs sync` and `jobs trigger`."""

from __future__ import annotations

import pytest
from django.core.management.base import CommandError

from django_jobs.declared import declarations
from django_jobs.models import Job, RecurringJob
from tests.app.jobs import adds, succeeds
from tests.test_jobs_command import jobs, jobs_json

pytestmark = pytest.mark.django_db


def add(id: str, **terms: object) -> RecurringJob:
    return RecurringJob.objects.add_or_update(
        id, succeeds, **{"cron": "0 2 * * *", "time_zone": "Asia/Kolkata", **terms}
    )


def test_schedules_are_listed_with_their_next_runs() -> None:
    add("nightly", description="What happens at night")
    add("never", cron="0 0 31 2 *")
    add("off", enabled=False)
    out = jobs("schedules", "--next", 2)
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert lines["nightly"].count("02:00:00 IST") == 2
    assert "At 02:00" in lines["nightly"]
    assert "What happens at night" in lines["nightly"]
    assert lines["never"].split()[1] == "ended"
    assert lines["off"].split()[1] == "disabled"


def test_schedules_as_json_are_complete() -> None:
    row = add("nightly")
    made = row.trigger()
    (facts,) = jobs_json("schedules", "--next", 3)
    assert (facts["id"], facts["status"], facts["cron"], facts["time_zone"]) == (
        "nightly",
        "enabled",
        "0 2 * * *",
        "Asia/Kolkata",
    )
    assert (facts["last_job"], facts["last_state"], len(facts["next_runs"])) == (made.pk, "enqueued", 3)
    assert facts["next_runs"][0].endswith("T02:00:00+05:30")
    assert facts["words"] == "At 02:00"


def test_one_is_disabled_enabled_and_removed() -> None:
    add("nightly")
    assert jobs("schedules", "disable", "nightly") == "Recurring job nightly is disabled\n"
    assert jobs("schedules", "disable", "nightly") == "Recurring job nightly is disabled already\n"
    assert jobs("schedules", "enable", "nightly") == "Recurring job nightly is enabled\n"
    assert jobs("schedules", "remove", "nightly") == "Recurring job nightly is removed; its jobs stay\n"
    for arguments in (["enable", "nightly"], ["enable"]):
        with pytest.raises(CommandError, match="id"):
            jobs("schedules", *arguments)


def test_trigger_writes_the_number_alone() -> None:
    add("nightly")
    number = int(jobs("trigger", "nightly"))
    assert Job.objects.get(pk=number).recurring_job_id == "nightly"
    with pytest.raises(CommandError, match="No recurring job has the id 'nowhere'"):
        jobs("trigger", "nowhere")


def test_sync_stores_declarations_and_tells_of_wrong_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Stored 1 recurring job(s)" in jobs("sync")
    assert RecurringJob.objects.get().pk == "tests.yearly"
    wrong = next(iter(declarations))
    monkeypatch.setattr(declarations, "_known", {"wrong": type(wrong)("wrong", adds.job_type, {"cron": "@daily"})})
    with pytest.raises(CommandError, match="wrong: args"):
        jobs("sync")
    assert RecurringJob.objects.get().status == "orphaned"
