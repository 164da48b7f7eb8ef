"""Looks at how well the work goes: whether workers suffice, what is slow, what no longer fits its call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from .. import clock, monitoring, states
from ..conf import settings
from ..models import Breach
from ..registry import registry
from .finding import Finding

LATELY = timedelta(hours=2)
PATIENCE = timedelta(seconds=30)
"""A job that waits longer, while every worker is busy, waits for a worker."""
NEWEST = 500
REMEDIES = {
    Breach.Kind.WAIT: "Add workers, or give it a queue that is served before the others.",
    Breach.Kind.RUN: "Its jobs' consoles tell where the time goes; cut it into a batch, or promise less (max_run).",
}
UNFIT = re.compile(r"TypeError: ([\w.]+)\(\) (?:missing|takes|got)|(?:\w+\.)*InvalidArgument: ")


def capacity() -> Iterator[Finding]:
    """Whether jobs wait since every worker is busy."""
    servers = monitoring.living()
    slots, busy = sum(server.slots for server in servers), sum(server.busy for server in servers)
    now = clock.now()
    waits = [
        name
        for name, facts in monitoring.queue_waits().items()
        if facts["servers"] and not facts["paused"] and facts["oldest"] and now - facts["oldest"] > PATIENCE
    ]
    if slots and busy >= slots and waits:
        remedy = "Add workers (--processes, --threads for jobs that wait for others) or a server, or make jobs shorter."
        told = f"all {slots} worker(s) are busy, while jobs wait in {', '.join(waits)}"
        yield Finding("warning", "Capacity", told, remedy, place="servers")


def slow() -> Iterator[Finding]:
    """Job types that broke their service level lately."""
    since = clock.now() - LATELY
    newest = Breach.objects.using(settings.DATABASE).order_by("-id")
    rows = newest.values_list("job__job_type", "kind", "noticed_at")[:NEWEST]
    for (name, kind), count in sorted(Counter((name, kind) for name, kind, at in rows if at >= since).items()):
        done = "waited" if kind == Breach.Kind.WAIT else "ran"
        told = f"{count} job(s) {done} longer than its {kind} in the last two hours"
        yield Finding("warning", f"Job type {name}", told, REMEDIES[Breach.Kind(kind)])


def arguments() -> Iterator[Finding]:
    """Failed jobs whose arguments their function does not take (any more)."""
    failed = monitoring.jobs().filter(state=states.FAILED).order_by("-id")
    rows = failed.values_list("job_type", "state_reason")[:NEWEST]
    unfit = Counter(name for name, reason in rows if _is_unfit(name, reason))
    for name, count in sorted(unfit.items()):
        remedy = "They were stored for another signature: give new parameters a default, and requeue them."
        told = f"{count} failed job(s) have arguments that it does not take"
        yield Finding("warning", f"Job type {name}", told, remedy, place="failures")


def _is_unfit(name: str, reason: str) -> bool:
    """Whether the call failed, and not something that the function called in turn."""
    found, job_type = UNFIT.match(reason), registry.find(name)
    if found is None or found[1] is None:
        return found is not None
    return job_type is not None and found[1].split(".")[0] == job_type.target.__qualname__.split(".")[0]
