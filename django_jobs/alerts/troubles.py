"""What there is to be told of now. Nothing here quotes arguments: mail and webhooks go where no permission reaches."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from .. import clock, doctor, states
from ..conf import settings
from ..models import Alert, Breach, JobState, RecurringJob

RECENT = timedelta(minutes=10)
NEWEST = 5000
"""Most entries of the history, or breaches, that one look reads."""
LEAST = 10
"""Failed runs of a type below which nobody is woken."""
SHARE = 0.2
"""Share of a type's runs that must have failed."""
LISTED = 50
"""Most broken schedules that are told of."""
Kind = Alert.Kind


class Trouble(NamedTuple):
    """What is wrong, and what to do. `subject` says with what: one subject has one trouble of a kind at a time."""

    kind: str
    subject: str
    found: str
    remedy: str

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.subject}"[:250]


def queues() -> Iterator[Trouble]:
    """Jobs wait, and no live server takes their queue."""
    for finding in doctor.waiting():
        if finding.level == "error":
            yield Trouble(Kind.QUEUE, finding.subject, finding.found, finding.remedy)


def failures() -> Iterator[Trouble]:
    """Many of the newest runs of a type failed, those that are tried again included."""
    ran = [states.SUCCEEDED, states.FAILED]
    newest = (
        JobState.objects.using(settings.DATABASE).order_by("-pk").values_list("name", "job__job_type", "created_at")
    )
    since = clock.now() - RECENT
    runs = Tally((job_type, name) for name, job_type, at in newest[:NEWEST] if at >= since and name in ran)
    for (job_type, name), failed in sorted(runs.items()):
        total = failed + runs[job_type, states.SUCCEEDED]
        if name == states.FAILED and failed >= LEAST and failed > SHARE * total:
            found = f"{failed} of {total} runs failed in the last {_minutes()} minutes"
            remedy = f"`jobs list --type {job_type} --state failed`, and `jobs show ID`, tell why."
            yield Trouble(Kind.FAILURES, f"Job type {job_type}", found, remedy)


def schedules() -> Iterator[Trouble]:
    """Recurring jobs whose timetable cannot be followed."""
    rows = RecurringJob.objects.using(settings.DATABASE).exclude(error="").order_by("pk")
    for name, error in rows.values_list("pk", "error")[:LISTED]:
        remedy = "Correct or enable it; `jobs schedules` says what is wrong."
        yield Trouble(Kind.SCHEDULE, f"Recurring job {name}", f"is broken: {error.partition(':')[0]}", remedy)


def service_levels() -> Iterator[Trouble]:
    """Jobs that waited, or ran, longer than their types promise."""
    newest = Breach.objects.using(settings.DATABASE).order_by("-pk").select_related("job")
    rows = newest.only("kind", "seconds", "limit", "noticed_at", "job__job_type")[:NEWEST]
    since = clock.now() - RECENT
    groups: dict[tuple[str, str], list[Breach]] = {}
    for breach in rows:
        if breach.noticed_at >= since:
            groups.setdefault((breach.job.job_type, breach.kind), []).append(breach)
    for (job_type, kind), breaches in sorted(groups.items()):
        worst = max(breaches, key=lambda breach: breach.seconds)
        what = "waited" if kind == Breach.Kind.WAIT else "ran"
        found = (
            f"{len(breaches)} job(s) {what} too long in the last {_minutes()} minutes; "
            f"the worst {worst.seconds:.3g} s, promised are {worst.limit:g} s"
        )
        remedy = (
            "Add workers, or give the type a queue of its own." if what == "waited" else "See what its runs wait for."
        )
        yield Trouble(Kind.SLA, f"Job type {job_type} ({kind})", found, remedy)


def _minutes() -> int:
    return int(RECENT.total_seconds() // 60)


LOOKS = (queues, failures, schedules, service_levels)
