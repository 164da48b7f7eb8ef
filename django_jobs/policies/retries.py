"""The retry policy: a failed run leads on to Scheduled, until its attempts are used up."""

from __future__ import annotations

import logging
from datetime import timedelta

from ..backoff import Retry, retry_from
from ..conf import settings
from ..registry import registry
from ..states import DELETED, FAILED, SCHEDULED
from ..states.elections import Election
from ..states.filters import Filter

logger = logging.getLogger("django_jobs.jobs")

NONE = "It failed, and its type has no retries"


class Retries(Filter):
    """Leads a failed run on: to a retry, to its deletion, or to nothing. It comes after the site's filters."""

    states = frozenset({FAILED})

    def elect(self, election: Election) -> None:
        if election.error is None:  # no run failed: a worker died under the job too often, say
            return
        policy = policy_of(election.job_type)
        try:
            delay = policy.delay(election.error, election.attempt, lambda: election.job)
            if delay is not None:
                election.replace(SCHEDULED, _again(policy, election), at=timedelta(seconds=delay))
                return
        except Exception:  # also a delay beyond the calendar
            message = "The backoff function of %s failed; job %d is not tried again"
            logger.exception(message, election.job_type, election.job_id)
            return
        if policy.on_exceeded == "delete":
            election.replace(DELETED, "Retries were used up" if policy.attempts else NONE)


def policy_of(name: str) -> Retry:
    """The retry policy of a job type: its own, or else the setting ``RETRY``."""
    job_type = registry.find(name)
    if job_type is not None and job_type.retry is not None:
        return job_type.retry
    return retry_from(settings.RETRY)


def _again(policy: Retry, election: Election) -> str:
    return f"Retry {election.attempt} of {policy.attempts}: {election.reason}"
