"""What happens after a failure."""

from __future__ import annotations

from example_project.demo.jobs import gives_up, recovers, snoozes

from . import claim, ended, told


@claim("retries until it works", "succeeded: 3; failed and tried again 2 times")
def retried() -> str:
    job = recovers.enqueue()
    answer = told(job)
    reasons = [entry.reason for entry in ended(job).history()]
    return f"{answer}; failed and tried again {sum(reason.startswith('Retry ') for reason in reasons)} times"


@claim("retries used up", "deleted: Retries were used up")
def exhausted() -> str:
    return told(gives_up.enqueue(), lambda job: job.state_reason)


@claim("put back by itself", "succeeded: run 2, attempt 1")
def snoozed() -> str:
    return told(snoozes.enqueue())
