"""The retry policy: a failed run leads on to Scheduled, until its attempts are used up."""

from __future__ import annotations

import logging
from datetime import timedelta

from ..backoff import Retry, retry_from
from ..conf import settings
from ..registry import registry
from ..states import DELETED, ENQUEUED, SCHEDULED
from ..states.statements import Claimed, Finish, Then

logger = logging.getLogger("django_jobs.jobs")


def elect(job: Claimed, run: Finish, error: BaseException) -> Finish:
    """The failed run, with what follows it: a retry, a deletion, or nothing."""
    policy = policy_of(job.job_type)
    number = job.failures + 1
    try:
        delay = policy.delay(error, number)
        if delay is not None:
            return run._replace(then=_again(policy, run, number, delay))
    except Exception:  # also a delay beyond the calendar
        logger.exception("The backoff function of %s failed; job %d is not tried again", job.job_type, job.id)
        return run
    if policy.on_exceeded == "delete":
        return run._replace(then=_deleted(policy, job))
    return run


def policy_of(name: str) -> Retry:
    """The retry policy of a job type: its own, or else the setting ``RETRY``."""
    job_type = registry.find(name)
    if job_type is not None and job_type.retry is not None:
        return job_type.retry
    return retry_from(settings.RETRY)


def _again(policy: Retry, run: Finish, number: int, delay: float) -> Then:
    reason = f"Retry {number} of {policy.attempts}: {run.reason.partition(': ')[2] or run.reason}"
    state = SCHEDULED if delay > 0 else ENQUEUED
    return Then(state, reason[:200], run.finished_at + timedelta(seconds=delay), None)


def _deleted(policy: Retry, job: Claimed) -> Then:
    reason = "Retries were used up" if policy.attempts else "It failed, and its type has no retries"
    return Then(DELETED, reason, None, registry.keep(job.job_type, DELETED))
