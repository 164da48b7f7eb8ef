"""Metrics for Prometheus: ``path("metrics/", include("django_jobs.prometheus"))``. It needs the extra ``prometheus``.

All of it is read from SQL when it is asked for: one answer speaks for all processes, and any web process may give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from . import clock, monitoring, tallies
from .authorizing import authorized
from .conf import settings
from .models import Alert, Counter, Lease, RecurringJob, Server, Tally

Metric = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
ENDS = (Tally.Kind.SUCCEEDED, Tally.Kind.FAILED, Tally.Kind.DELETED)
COUNTERS = {
    Counter.RUNG: ("django_jobs_bells_rung_again", "Enqueued jobs whose bell was lost, and rung again by the sweep."),
    Counter.DROPPED: ("django_jobs_stale_writes", "Ends of runs that were dropped: the job had a newer run, or ended."),
    "retried": ("django_jobs_retries", "Failed runs that led on to another attempt."),
}


class Jobs(Collector):
    """Everything that is told, in the order in which it is told."""

    def collect(self) -> Iterator[Metric]:
        yield from _live()
        yield from _history()
        yield from _queues()
        yield from _schedules()
        yield from _servers()
        yield from _alerts()
        yield from _counters()

    def describe(self) -> Iterable[Any]:
        return []


def _gauge(name: str, text: str, labels: Iterable[str], rows: Iterable[tuple[list[str], float]]) -> GaugeMetricFamily:
    made = GaugeMetricFamily(f"django_jobs_{name}", text, labels=list(labels))
    for values, number in rows:
        made.add_metric(values, number)
    return made


def _live() -> Iterator[Metric]:
    found, capped = tallies.live()
    rows = [([one.job_type, one.queue, one.state], one.number) for one in found]
    text = f"Jobs in the states that jobs leave; of each state the first {monitoring.CAP:,} are counted."
    yield _gauge("jobs", text, ("type", "queue", "state"), rows)
    text = "Whether a state has more jobs than were counted."
    yield _gauge("jobs_capped", text, ["state"], [([state], state in capped) for state in tallies.LIVE])


def _history() -> Iterator[Metric]:
    found = tallies.totals()
    runs = CounterMetricFamily("django_jobs_runs", "Runs that ended so.", labels=["type", "queue", "outcome"])
    took = HistogramMetricFamily(
        "django_jobs_run_seconds", "From the start of a run to its end.", labels=["type", "queue", "outcome"]
    )
    waits = HistogramMetricFamily(
        "django_jobs_wait_seconds", "From coming into the queue to being claimed.", labels=["type", "queue"]
    )
    late = HistogramMetricFamily(
        "django_jobs_schedule_lateness_seconds",
        "From a time of a recurring job's timetable to the storing of its job.",
        labels=["type", "queue"],
    )
    for tally in found:
        labels = [tally.job_type, tally.queue]
        if tally.kind in ENDS:
            runs.add_metric([*labels, tally.kind], tally.number)
        if tally.kind in ENDS[:2]:
            took.add_metric([*labels, tally.kind], _buckets(tally), tally.seconds)
        elif tally.kind != Tally.Kind.DELETED:
            (waits if tally.kind == Tally.Kind.WAIT else late).add_metric(labels, _buckets(tally), tally.seconds)
    yield from (runs, took, waits, late)


def _buckets(tally: Tally) -> list[tuple[str, float]]:
    bounds = [*(str(float(bound)) for bound in tallies.BOUNDS), "+Inf"]
    return list(zip(bounds, accumulate(tally.buckets), strict=True))


def _queues() -> Iterator[Metric]:
    waits, now = monitoring.queue_waits(), clock.now()
    ages = {name: (now - facts["oldest"]).total_seconds() if facts["oldest"] else 0 for name, facts in waits.items()}
    text = f"Jobs that are enqueued or wait for a limit, of which the first {monitoring.CAP:,} are counted."
    yield _gauge("queue_length", text, ["queue"], [([name], facts["waiting"].number) for name, facts in waits.items()])
    text = "Seconds for which the oldest job of the queue has waited; 0 for an empty one."
    yield _gauge("queue_oldest_seconds", text, ["queue"], [([name], max(0, age)) for name, age in ages.items()])
    text = "Live servers that take the queue."
    yield _gauge("queue_servers", text, ["queue"], [([name], facts["servers"]) for name, facts in waits.items()])
    text = "Whether the queue is paused."
    yield _gauge("queue_paused", text, ["queue"], [([name], facts["paused"]) for name, facts in waits.items()])


def _schedules() -> Iterator[Metric]:
    rows = RecurringJob.objects.using(settings.DATABASE)
    now = clock.now()
    first = rows.filter(enabled=True, next_run__isnull=False).order_by("next_run").values_list("next_run", flat=True)
    due = first.first()
    numbers = {"enabled": rows.filter(enabled=True).count(), "broken": rows.exclude(error="").count()}
    text = "Recurring jobs that run, and those whose timetable is broken."
    yield _gauge("schedules", text, ["status"], [([status], number) for status, number in numbers.items()])
    text = "Seconds by which the most overdue recurring job is late now."
    overdue = max(0.0, (now - due).total_seconds()) if due else 0.0
    yield _gauge("schedule_overdue_seconds", text, [], [([], overdue)])


def _servers() -> Iterator[Metric]:
    live = monitoring.live_servers().order_by().values_list("application")
    servers = list(live.annotate(number=Count("id"), slots=Sum("slots"), busy=Sum("busy")))
    texts = {
        "servers": "Live servers.",
        "worker_slots": "Jobs that live servers can run at once.",
        "worker_slots_busy": "Jobs that run on them, as of their last signs of life.",
    }
    for place, (name, text) in enumerate(texts.items(), 1):
        yield _gauge(name, text, ["application"], [([row[0]], row[place]) for row in servers])
    processes = Server.objects.using(settings.DATABASE).filter(monitoring.alive()).order_by().values_list("application")
    memory = [([name], used) for name, used in processes.annotate(used=Sum("memory"))]
    yield _gauge("memory_bytes", "Resident memory of live servers with their processes.", ["application"], memory)
    leads = Lease.objects.using(settings.DATABASE).filter(name="scheduler", until__gt=clock.now()).exists()
    yield _gauge("leader", "Whether a scheduler leads; without one nothing delayed starts.", [], [([], leads)])


def _alerts() -> Iterator[Metric]:
    rows = Alert.objects.using(settings.DATABASE).filter(open_key__isnull=False).order_by().values_list("kind")
    sums = dict(rows.annotate(number=Count("id")))
    yield _gauge("alerts", "Troubles that last.", ["kind"], [([kind], sums.get(kind, 0)) for kind in Alert.Kind.values])


def _counters() -> Iterator[Metric]:
    rows = Counter.objects.using(settings.DATABASE).filter(name__in=COUNTERS).order_by().values_list("name")
    sums = dict(rows.annotate(total=Sum("value")))
    for name, (metric, text) in COUNTERS.items():
        yield CounterMetricFamily(metric, text, value=sums.get(name, 0))


REGISTRY = CollectorRegistry()
REGISTRY.register(Jobs())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics, for who shows ``METRICS_TOKEN`` or may see jobs."""
    if not _has_token(request):
        user = getattr(request, "user", None)
        if user is None or not user.is_authenticated:
            return HttpResponse("Show the token, or log in.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
        if not (user.has_perm("django_jobs.view_job") and authorized(request)):
            return HttpResponse("It takes the permission django_jobs.view_job.\n", status=403)
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type, headers={"Cache-Control": "no-store"})


def _has_token(request: HttpRequest) -> bool:
    scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
    token = settings.METRICS_TOKEN
    return bool(token) and scheme.lower() == "bearer" and constant_time_compare(shown.strip(), str(token))


urlpatterns = [path("", metrics, name="django_jobs_metrics")]
