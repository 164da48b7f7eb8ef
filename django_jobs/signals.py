"""Django signals for what happens to jobs: sent after the commit, in the process that wrote.

`job_started`, `sla_breached` and `acted` are sent at once. Receivers are called robustly: what one raises is logged (by
``django.dispatch``) and stops nobody. The sender is the model `Job`, of the two of alerts
`Alert`. Nothing is sent, and nothing is spent, where
nobody listens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import Signal

from .conf import settings

if TYPE_CHECKING:
    from .states.filters import Change

job_created = Signal()
"""A job was stored. `job`: the Job."""
job_started = Signal()
"""A worker is about to call the function of a job. `context`: the JobContext of the run."""
job_succeeded = Signal()
"""A run succeeded. `change`: the Change, with ``change.finish``."""
job_retried = Signal()
"""A run failed, and the job is tried again. `change`: the Change to Scheduled or Enqueued."""
job_failed = Signal()
"""A job is Failed, and nobody tries it again by himself. `change`: the Change."""
job_deleted = Signal()
"""A job was cancelled, deleted or given up. `change`: the Change."""
state_changed = Signal()
"""A job entered another state, each after its creation. `change`: the Change."""
sla_breached = Signal()
"""A job waited or ran longer than its type promises. `breach`: the Breach, with its job."""

process_ending = Signal()
"""A process of `runjobs` is about to end: whatever it holds back is to be sent now. The sender is None."""
alert_raised = Signal()
"""A trouble began. `alert`: the Alert."""
alert_over = Signal()
"""A trouble is over. `alert`: the Alert."""
acted = Signal()
"""Somebody acts by the REST API; in the transaction of the act, where there is one, and not robustly: what a receiver
raises undoes it. The sender is the model. `by`: the user, `act`: what he does, `on`: the row to which, `facts`: how.
"""

OF_CHANGES = (state_changed, job_succeeded, job_retried, job_failed, job_deleted)


def heard() -> bool:
    """Whether anybody listens to changes of state."""
    return any(signal.receivers for signal in OF_CHANGES)


def announce(sender: Any, changes: Sequence[Change]) -> None:
    """Send the signals of these changes once they are committed."""
    if changes and heard():
        transaction.on_commit(lambda: _send_changes(sender, changes), using=settings.DATABASE, robust=True)


def announce_created(sender: Any, jobs: Sequence[Any]) -> None:
    """Send `job_created` for each, once they are committed."""
    if job_created.receivers:
        transaction.on_commit(lambda: _send_created(sender, jobs), using=settings.DATABASE, robust=True)


def _send_created(sender: Any, jobs: Sequence[Any]) -> None:
    for job in jobs:
        job_created.send_robust(sender, job=job)


def _send_changes(sender: Any, changes: Sequence[Change]) -> None:
    for change in changes:
        state_changed.send_robust(sender, change=change)
        signal = _signal_of(change)
        if signal is not None:
            signal.send_robust(sender, change=change)


def _signal_of(change: Change) -> Signal | None:
    """The signal for this very change: a failure that leads to a retry is a retry."""
    if change.state == "failed":
        return None if change.passing else job_failed
    if change.was == "failed" and change.finish is not None and change.state != "deleted":
        return job_retried
    return {"succeeded": job_succeeded, "deleted": job_deleted}.get(change.state)
