"""Enqueue and run are spans of one trace, in one process and in several; without the filter nothing of it is there."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.test import override_settings
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from django_jobs import Batch, Retry, Snooze, clock
from django_jobs.contrib import otel
from django_jobs.decorators import job
from django_jobs.models import Job, RecurringJob
from django_jobs.registry import registry
from django_jobs.server import recurring
from django_jobs.states import filters
from django_jobs.testing import drain
from tests.app.jobs import adds, fails, succeeds

pytestmark = pytest.mark.django_db(transaction=True)
TRACING = {"RETRY": None, "FILTERS": ["django_jobs.contrib.otel.Tracing"]}
memory = InMemorySpanExporter()


def enqueues() -> None:
    adds.enqueue(1, 2)


def always() -> None:
    raise ValueError("the secret 4711")


def snoozes() -> None:
    raise Snooze(3600)


async def awaits() -> None:
    await asyncio.sleep(0)
    with trace.get_tracer("site").start_as_current_span("inside"):
        await asyncio.sleep(0)


@pytest.fixture(scope="module", autouse=True)
def provider() -> TracerProvider:
    """The SDK takes one provider for the life of a process."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(made)
    return made


@pytest.fixture
def traced() -> Iterator[None]:
    memory.clear()
    with override_settings(DJANGO_JOBS=TRACING):
        yield
    filters.forget()


def spans(name: str) -> list[ReadableSpan]:
    return [span for span in memory.get_finished_spans() if span.name == name]


def one(name: str) -> ReadableSpan:
    (found,) = spans(name)
    return found


def context_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context


def linked(span: ReadableSpan) -> set[int]:
    return {link.context.span_id for link in span.links}


def facts(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_run_is_a_child_of_its_enqueue_and_linked_to_it(traced: None) -> None:
    with trace.get_tracer("site").start_as_current_span("request") as request:
        row = adds.using(queue="critical").enqueue(1, 2)
    drain()
    created, run = one("create tests.adds"), one("process tests.adds")
    assert created.parent is not None
    assert run.parent is not None
    assert created.parent.span_id == request.get_span_context().span_id
    assert run.parent.span_id == context_of(created).span_id
    assert linked(run) == {context_of(created).span_id}
    assert len({context_of(span).trace_id for span in (created, run)} | {request.get_span_context().trace_id}) == 1
    assert (created.kind, run.kind) == (trace.SpanKind.PRODUCER, trace.SpanKind.CONSUMER)
    assert facts(run)["messaging.message.id"] == str(row.pk)
    assert facts(run)["messaging.destination.name"] == "critical"
    assert facts(run)["django_jobs.attempt"] == 1


def test_a_database_that_cannot_tell_the_parents_costs_no_run(
    traced: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(job_id: int) -> Any:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(otel, "_waited_for", away)
    row = adds.enqueue(1, 2)
    drain()
    row.refresh_from_db()
    assert (row.state, row.result) == ("succeeded", 3)
    assert "is traced without what it waited for" in caplog.text
    assert one("process tests.adds").parent is not None


def test_what_a_run_enqueues_is_in_its_trace(traced: None) -> None:
    try:
        job("t.enqueues")(enqueues).enqueue()
        drain()
    finally:
        registry.remove("t.enqueues")
    inner = one("create tests.adds")
    assert inner.parent is not None
    assert inner.parent.span_id == context_of(one("process t.enqueues")).span_id
    assert context_of(one("process tests.adds")).trace_id == context_of(one("create t.enqueues")).trace_id


def test_each_attempt_is_a_span_and_a_failure_does_not_quote(traced: None) -> None:
    try:
        job("t.always", retry=Retry(attempts=2, delays=[0]))(always).enqueue()
        drain()
    finally:
        registry.remove("t.always")
    runs = spans("process t.always")
    assert [facts(run)["django_jobs.attempt"] for run in runs] == [1, 2, 3]
    assert {run.parent.span_id for run in runs if run.parent} == {context_of(one("create t.always")).span_id}
    assert {run.status.description for run in runs} == {"ValueError"}
    assert "4711" not in "".join(run.to_json() for run in runs)


def test_a_subclass_may_record_messages() -> None:
    class Open(otel.Tracing):
        messages = True

    memory.clear()
    with override_settings(DJANGO_JOBS={"RETRY": None, "FILTERS": [Open]}):
        fails.enqueue("loud")
        drain()
    filters.forget()
    assert "loud" in one("process tests.fails").to_json()


def test_a_run_that_is_put_off_is_no_failure(traced: None) -> None:
    try:
        job("t.snoozes")(snoozes).enqueue()
        drain()
    finally:
        registry.remove("t.snoozes")
    run = one("process t.snoozes")
    assert run.status.is_unset
    assert [event.name for event in run.events] == ["Snooze"]


def test_a_continuation_is_linked_to_what_it_waited_for(traced: None) -> None:
    first = adds.enqueue(1, 2)
    second = adds.enqueue(3, 4)
    succeeds.using(after=[first, second]).enqueue()
    drain()
    parents = {context_of(span).span_id for span in spans("create tests.adds")}
    run = one("process tests.succeeds")
    assert linked(run) == parents | {context_of(one("create tests.succeeds")).span_id}


def test_members_of_a_batch_share_its_trace_and_what_follows_is_linked_to_them(traced: None) -> None:
    with trace.get_tracer("site").start_as_current_span("request") as request:
        batch = Batch.start("b", [adds.bind(number, 1) for number in range(3)])
    batch.then(succeeds)
    drain()
    runs = spans("process tests.adds")
    assert {context_of(run).trace_id for run in runs} == {request.get_span_context().trace_id}
    assert {facts(run)["django_jobs.batch.id"] for run in runs} == {batch.pk}
    after = one("process tests.succeeds")
    members = {context_of(span).span_id for span in spans("create tests.adds")}
    assert len(members) == 3
    assert members < linked(after)


def test_a_recurring_jobs_run_has_its_trace(traced: None) -> None:
    RecurringJob.objects.add_or_update("each-minute", adds, cron="* * * * *", args=[1, 2])
    RecurringJob.objects.update(next_run=clock.now(), since=clock.now() - recurring.RETRY * 8)
    recurring.fire_due()
    drain()
    assert context_of(spans("process tests.adds")[0]).trace_id == context_of(spans("create tests.adds")[0]).trace_id


def test_spans_inside_of_an_async_job_are_children_of_its_run(traced: None) -> None:
    try:
        job("t.awaits")(awaits).enqueue()
        drain()
    finally:
        registry.remove("t.awaits")
    inside = one("inside")
    assert inside.parent is not None
    assert inside.parent.span_id == context_of(one("process t.awaits")).span_id


def test_headers_that_are_no_context_do_no_harm(traced: None) -> None:
    row = adds.using(headers={"tenant": 7, "baggage": "a=1"}).enqueue(1, 2)
    Job.objects.filter(pk=row.pk).update(headers={"traceparent": ["x"], "tracestate": 3, "tenant": 7})
    drain()
    assert one("process tests.adds").parent is None
    assert row.headers["tenant"] == 7


@pytest.mark.processes
def test_a_real_worker_goes_on_with_the_trace_and_loses_no_span_when_it_stops(
    traced: None, runjobs: Any, tmp_path: Path
) -> None:
    """Its spans are sent only when it ends: the delay of its processor is an hour."""
    file = tmp_path / "spans"
    rows = [adds.enqueue(number, 1) for number in range(5)]
    server = runjobs(
        "--processes", "1", environment={"DJANGO_SETTINGS_MODULE": "tests.settings_traced", "TRACE_FILE": str(file)}
    )
    assert {row.wait(20).state for row in rows} == {"succeeded"}
    assert not file.exists()
    server.ask_to_stop()
    assert server.wait(30) == 0
    found = [json.loads(line) for line in file.read_text().splitlines()]
    runs = [span for span in found if span["name"] == "process tests.adds"]
    created = {f"0x{context_of(span).span_id:016x}" for span in spans("create tests.adds")}
    assert len(created) == 5
    assert {span["parent_id"] for span in runs} == created
    assert {link["context"]["span_id"] for span in runs for link in span["links"]} == created


@pytest.mark.once
def test_without_the_filter_it_is_not_imported_and_nothing_is_asked(server_environment: dict[str, str]) -> None:
    script = """
import sys, django
django.setup()
from django_jobs.states import filters
import django_jobs.server.worker, tests.app.jobs
assert "django_jobs.contrib.otel" not in sys.modules
assert filters.chain("creating", "tests.adds") == filters.chain("perform", "tests.adds") == ()
"""
    subprocess.run([sys.executable, "-c", script], env=server_environment, check=True)
