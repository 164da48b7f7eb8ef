"""OpenTelemetry: enqueue and run are spans of one trace. It needs the extra ``otel``, and an SDK that the site sets up.

``DJANGO_JOBS = {"FILTERS": ["django_jobs.contrib.otel.Tracing"]}``; where that is not written, this is not imported.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.db import DatabaseError
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode

from .. import __version__, monitoring, signals
from ..conf import settings
from ..context import JobContext
from ..exceptions import Cancel, JobCancelled, JobInterrupted, JobStopped, Snooze
from ..models import JobDependency
from ..states.filters import Creation, Filter

logger = logging.getLogger("django_jobs.tracing")

PARENTS = 50
"""Most jobs that a continuation's run is linked to."""
LONGEST = 2048
"""Characters of a header that travels with a job."""
FLUSH = 2000
"""Milliseconds that a process which ends waits for its last spans to be sent."""
NO_FAILURES = (Snooze, Cancel, JobCancelled, JobInterrupted, JobStopped)


class Tracing(Filter):
    """A span for each enqueue and each run. The enqueue's context travels in the job's headers.

    A run is a child of the span that enqueued it, and linked to it; a continuation's run is linked to those of what it
    waited for, too. A subclass with ``messages = True`` records what exceptions say, and where they were raised.
    """

    messages = False

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("django_jobs", __version__)
        signals.process_ending.connect(_flush, dispatch_uid="django_jobs.otel")

    def creating(self, creation: Creation) -> None:
        facts = _facts("create", creation.job_type, creation.queue)
        with self._tracer.start_as_current_span(
            f"create {creation.job_type}", kind=SpanKind.PRODUCER, attributes=facts
        ):
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
        creation.headers |= {name: text for name, text in carrier.items() if len(text) <= LONGEST}

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        cause = _extracted(ctx.headers)
        with self._tracer.start_as_current_span(
            f"process {ctx.job_type}",
            context=cause,
            kind=SpanKind.CONSUMER,
            attributes=_facts("process", ctx.job_type, ctx.queue) | _of_run(ctx),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if span.is_recording():
                _link(span, [cause, *_causes(ctx.id)])
            try:
                return proceed()
            except NO_FAILURES as wish:
                span.add_event(type(wish).__name__)
                raise
            except BaseException as error:
                self._record(span, error)
                raise

    def _record(self, span: Span, error: BaseException) -> None:
        """That the run failed. What an exception says may quote arguments, which not everybody may see."""
        kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
        span.set_attribute("error.type", kind)
        span.set_status(Status(StatusCode.ERROR, kind))
        if self.messages:
            span.record_exception(error)


def _facts(operation: str, job_type: str, queue: str) -> dict[str, Any]:
    """After the semantic conventions for messaging."""
    return {
        "messaging.system": "django_jobs",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": queue,
        "django_jobs.job_type": job_type,
    }


def _of_run(ctx: JobContext) -> dict[str, Any]:
    facts = {
        "messaging.message.id": str(ctx.id),
        "messaging.consumer.group.name": settings.APPLICATION,
        "django_jobs.attempt": ctx.attempt,
        "django_jobs.run": ctx.run,
        "django_jobs.worker": ctx.worker,
    }
    return facts if ctx.batch_id is None else {**facts, "django_jobs.batch.id": ctx.batch_id}


def _extracted(headers: Mapping[str, Any]) -> Context:
    return propagate.extract({name: text for name, text in headers.items() if isinstance(text, str)}, Context())


def _causes(job_id: int) -> list[Context]:
    """What the job waited for; nothing where the database is away, since the trace must not cost the run."""
    try:
        return list(_waited_for(job_id))
    except DatabaseError as error:
        logger.warning("Job %d is traced without what it waited for: %s", job_id, str(error).strip())
        return []


def _waited_for(job_id: int) -> Iterator[Context]:
    """The contexts of the jobs, and of the members of the batches, that the job waited for."""
    edges = JobDependency.objects.using(settings.DATABASE).filter(child=job_id).order_by("id")
    for headers, batch in edges.values_list("parent__headers", "batch")[:PARENTS]:
        if headers:
            yield _extracted(headers)
        if batch is not None:
            members = monitoring.jobs().filter(batch=batch).order_by("id").values_list("headers", flat=True)
            yield from map(_extracted, members[:PARENTS])


def _link(span: Span, contexts: Iterable[Context]) -> None:
    """To each of them once."""
    known: dict[int, SpanContext] = {}
    for context in contexts:
        other = trace.get_current_span(context).get_span_context()
        if other.is_valid:
            known.setdefault(other.span_id, other)
    for other in known.values():
        span.add_link(other)


def _flush(**kwargs: Any) -> None:
    """A process that ends by ``os._exit`` would take its last spans along."""
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush is not None:
        flush(FLUSH)
