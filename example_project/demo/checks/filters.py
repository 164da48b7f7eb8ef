"""What filters, middleware and headers do."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.utils import timezone, translation

from django_jobs import monitoring
from django_jobs.exceptions import EnqueueCancelled
from example_project.demo.jobs import is_watched, knows_its_caller
from example_project.shop.filters import tenant

from . import claim, ended, told


@claim("a call that a filter refuses", "not on the list; nothing stored")
def refused() -> str:
    before = monitoring.jobs().filter(job_type="check.is_watched").count()
    try:
        is_watched.enqueue("refuse")
    except EnqueueCancelled as refusal:
        after = monitoring.jobs().filter(job_type="check.is_watched").count()
        return f"{refusal.reason}; {'nothing stored' if before == after else 'stored'}"
    return "accepted"


@claim("a filter around creation and run", "succeeded: <hello>, tagged seen")
def enriched() -> str:
    job = is_watched.enqueue("hello")
    return f"{told(job)}, tagged {', '.join(job.tags)}"


@claim("a run that a filter cancels", "deleted: Cancelled by filter example_project.demo.filters.Doorman: closed")
def cancelled() -> str:
    job = ended(is_watched.enqueue("cancel"))
    return f"{job.state}: {job.state_reason}"


@claim("a filter that puts off, and one that deletes a failure", "Come back, attempt 1; failed, deleted")
def elected() -> str:
    late, lost = ended(is_watched.enqueue("put off")), ended(is_watched.enqueue("lose"))
    reasons = [entry.reason for entry in late.history() if entry.name == "scheduled"]
    return f"{', '.join(reasons)}, attempt {late.attempt}; {', '.join(entry.name for entry in lost.history()[2:])}"


@claim("tenant, language and time zone of the caller", "succeeded: acme, de, Asia/Kolkata")
def context() -> str:
    token = tenant.set("acme")
    try:
        with translation.override("de"), timezone.override(ZoneInfo("Asia/Kolkata")):
            return told(knows_its_caller.enqueue())
    finally:
        tenant.reset(token)


@claim("a job log by a filter", "starts, attempt 1; returned after")
def logged() -> str:
    job = ended(knows_its_caller.enqueue())
    lines = [line.text.partition(job.job_type + " ")[2] for line in monitoring.console(job.pk)]
    return "; ".join(line.rpartition(" after ")[0] + " after" if " after " in line else line for line in lines if line)
