"""Hard time limits: the supervisor kills the worker of a job that ran over its own, and the job is Failed.

The worker cannot do that itself: code that holds the interpreter lets none of its threads run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from .. import execution, monitoring, states
from ..exceptions import JobTimeout
from ..registry import registry
from ..states import machine
from ..states.statements import Claimed
from . import orders
from .children import Child
from .keeper import report
from .shared import Slot

REASON = "one of its jobs ran over its hard time limit"


def kill_late(children: Iterable[Child]) -> None:
    """Kill the workers in which a job runs over its hard limit."""
    now = time.monotonic()
    for child in children:
        late = [slot for slot in child.shared.running() if 0 < slot.deadline <= now]
        if late and not child.overran:
            child.overran = late
            numbers = ", ".join(str(slot.job_id) for slot in late)
            orders.end_process(child.pid, child.shared, f"job {numbers} runs over its hard time limit")


def fail(slots: Iterable[Slot], worker: str) -> None:
    """Record the failure of jobs because of which a worker was killed, unless they had ended just before."""
    for slot in slots:
        job = monitoring.jobs().filter(pk=slot.job_id, run=slot.run, state=states.PROCESSING, worker=worker).first()
        if job is not None:
            named = (job.queue, job.priority, job.failures, job.batch_id)
            claimed = Claimed(job.pk, job.job_type, "[]", "{}", job.run, *named)
            claimed = claimed._replace(limited=job.limited, keyed=bool(job.unique_key))
            seconds = registry.get(job.job_type).hard_limit
            started = job.started_at or job.state_at
            left = [execution.failure(claimed, started, JobTimeout(seconds, hard=True))]
            while left:  # a filter raises; were it put back, it would have another worker killed
                left = report(machine.acknowledge(left, worker), worker)
