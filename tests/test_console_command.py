"""`jobs console`, `jobs show --console` and `jobs list --metadata`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from django_jobs import JobContext, events
from django_jobs.console import outbox
from django_jobs.models import ConsoleLine
from django_jobs.states import machine
from tests.app.jobs import succeeds
from tests.servers import eventually
from tests.test_jobs_command import jobs, jobs_json

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_outbox() -> Iterator[None]:
    yield
    outbox.reset()


@pytest.fixture
def ctx() -> JobContext:
    """Of a running job."""
    job = succeeds.enqueue()
    machine.claim([job.pk], ["tests.succeeds"], "w/1")
    return JobContext(job.pk, job.job_type, job.queue, 1, 1, "w/1")


def test_lines_are_written_with_their_times_and_bars_below(ctx: JobContext) -> None:
    ctx.log("first")
    ctx.log("\x1b[2Jsteers the terminal")
    ctx.progress_bar("rows", 8).set(2)
    outbox.flush()
    ConsoleLine.objects.create(job_id=ctx.id, run=2, number=10, at="2026-01-01T00:00Z", level="error", text="later")
    lines = jobs("console", ctx.id).splitlines()
    assert [line.partition("  ")[2] for line in lines if line[2:3] == ":"] == [
        "first",
        "\ufffd[2Jsteers the terminal",
        "later",
    ]
    assert lines[2:3] + lines[-1:] == ["… 7 lines left out …", "rows: 2 of 8 (25 %)"]
    assert [line.partition("  ")[2] for line in jobs("console", ctx.id, "--run", 2).splitlines()] == ["later"]


def test_show_tells_it_where_it_is_asked_to(ctx: JobContext) -> None:
    ctx.log("said")
    ctx.metadata["customer"] = "acme"
    outbox.flush()
    assert "said" not in jobs("show", ctx.id)
    assert 'metadata    {"customer": "acme"}' in jobs("show", ctx.id)
    assert jobs("show", ctx.id, "--console").rstrip().endswith("said")
    told = jobs_json("show", ctx.id, "--console")
    assert [(line["number"], line["text"]) for line in told["console"]] == [(1, "said")]
    assert jobs_json("console", ctx.id)["metadata"] == {"customer": "acme"}


def test_jobs_are_listed_by_metadata(ctx: JobContext) -> None:
    succeeds.enqueue()
    ctx.metadata.update(customer="acme", rows=5)
    outbox.flush()
    assert [job["id"] for job in jobs_json("list", "--metadata", "customer=acme", "--metadata", "rows=5")] == [ctx.id]
    with pytest.raises(CommandError, match="No jobs match"):
        jobs("list", "--metadata", "rows=6")
    with pytest.raises(CommandError, match="KEY=VALUE"):
        jobs("list", "--metadata", "rows")


@pytest.mark.django_db(transaction=True)
def test_follow_goes_on_until_the_job_has_ended(ctx: JobContext) -> None:
    out = StringIO()

    def follow() -> None:
        try:
            call_command("jobs", "console", str(ctx.id), "--follow", stdout=out, no_color=True)
        finally:
            connections.close_all()

    ctx.log("before")
    outbox.flush()
    follower = threading.Thread(target=follow)
    follower.start()
    eventually(lambda: "before" in out.getvalue())
    ctx.log("while it runs")
    outbox.flush()
    eventually(lambda: "while it runs" in out.getvalue())
    assert follower.is_alive()
    machine.move([ctx.id], machine.Target("deleted"), expected={"processing"})
    events.publish("ended", ids=[ctx.id])
    follower.join(10)
    assert not follower.is_alive()
    assert out.getvalue().count("\n") == 2


def test_a_console_of_nobody_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no job"):
        jobs("console", 2**40)
