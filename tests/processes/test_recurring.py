"""Real leaders: one job for each tick, whoever is killed, and in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models import Count, Max, Min

from django_jobs.models import Job, Lease, RecurringJob
from tests.app.jobs import adds, succeeds
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]
QUICK = {"DJANGO_JOBS_LEADER_TIMEOUT": "1.5"}
SCHEDULES = 60


def leader_among(servers: list[RunJobs]) -> RunJobs | None:
    holder = Lease.objects.filter(name="scheduler").values_list("holder", flat=True).first() or ""
    return next((server for server in servers if holder.startswith(f"{server.name}/")), None)


def latest() -> object:
    return Job.objects.aggregate(at=Max("tick"))["at"]


def test_five_servers_whose_leaders_are_killed_make_one_job_for_each_tick(runjobs: Start) -> None:
    for number in range(SCHEDULES):
        RecurringJob.objects.add_or_update(f"n{number}", succeeds, cron="* * * * * *", misfire="strict", args=[number])
    servers = [runjobs("--processes", "1", environment=QUICK, ready=False) for _ in range(5)]
    for server in servers:
        server.wait_until_ready()
    for _ in range(3):
        leader = eventually(lambda: leader_among(servers), what="somebody leads")
        before = latest()
        eventually(lambda old=before: latest() not in (None, old), 30, "the leader ticks")
        leader.kill()
        servers.remove(leader)
    before = latest()
    eventually(lambda: latest() not in (None, before), 30, "the last leader ticks")
    for server in servers:
        server.kill()
    made = Job.objects.values_list("recurring_job").annotate(
        ticks=Count("tick", distinct=True), jobs=Count("pk"), first=Min("tick"), last=Max("tick")
    )
    assert len(made) == SCHEDULES
    for id, ticks, jobs, first, last in made:
        whole = (last - first) // timedelta(seconds=1) + 1
        assert (id, ticks, jobs) == (id, whole, whole)


def test_a_schedule_that_is_added_while_the_leader_sleeps_runs_in_time(runjobs: Start) -> None:
    runjobs("--processes", "1", "--poll-interval", "30")
    eventually(lambda: Lease.objects.exists(), what="it leads")
    row = RecurringJob.objects.add_or_update("soon", adds, cron="* * * * * *", args=[1, 2])
    job = eventually(lambda: Job.objects.filter(state="succeeded").first(), 10, "it ran")
    assert job.result == 3
    assert job.tick is not None
    assert job.tick >= row.created_at


def test_what_the_code_declares_is_there_when_a_server_starts(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    row = RecurringJob.objects.get(pk="tests.yearly")
    assert (row.cron, row.source, row.application) == ("@yearly", "code", "tests")
    assert server.row is not None
    assert server.row.schedules == ["tests.yearly"]
