"""Limits of time and memory, processes of their own, service levels."""

from __future__ import annotations

from django_jobs.models import Breach
from example_project.demo.jobs import crashes, fills_memory, is_deaf, overruns_async, overstays

from . import claim, ended, told

REASON = "django_jobs.exceptions."


@claim("time limit of an async job", "failed: JobTimeout: The job ran longer than its time limit of 0.2 seconds")
def time_limit_async() -> str:
    return _why(overruns_async.enqueue())


@claim(
    "hard time limit",
    "failed: JobTimeout: The job ran longer than its hard time limit of 0.5 seconds; its process was killed",
)
def hard_limit() -> str:
    return _why(is_deaf.enqueue())


@claim("crash of an isolated job", "failed: ProcessDied: The process of the job was killed by SIGSEGV, no worker died")
def crash() -> str:
    job = crashes.enqueue()
    return f"{_why(job)}, {'a' if ended(job).deaths else 'no'} worker died"


@claim("memory limit", "failed: MemoryLimitExceeded: The job wanted more memory than its limit of 64 MB")
def memory_limit() -> str:
    return _why(fills_memory.enqueue(500))


@claim("service level", "succeeded, Ran too long")
def service_level() -> str:
    job = ended(overstays.enqueue())
    return ", ".join([job.state, *(str(breach.get_kind_display()) for breach in Breach.objects.filter(job=job))])


def _why(job: object) -> str:
    return told(job, lambda job: job.state_reason.removeprefix(REASON))  # type: ignore[arg-type]
