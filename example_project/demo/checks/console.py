"""What jobs say while they run."""

from __future__ import annotations

import time

from django_jobs import find_jobs, monitoring
from django_jobs.models import Job
from example_project.demo.jobs import says, shows_progress, speaks

from . import claim, ended, patience


@claim("console and progress while it runs", "processing: Half of it is done; rows: 100 of 200, files: 3")
def live() -> str:
    job = shows_progress.enqueue(2)
    end = time.monotonic() + patience()
    while time.monotonic() < end and not (bars := monitoring.progress(job.pk)):
        time.sleep(0.05)
    state = monitoring.get(job.pk).state
    return f"{state}: {'; '.join(_said(job))}; {', '.join(map(str, bars))}"


@claim("logging and print of a job", "logged, printed")
def captured() -> str:
    return ", ".join(_said(ended(speaks.enqueue())))


@claim("a console of two attempts, with its limit", "2000 of 3000 lines, the last is 1499 of run 2")
def bounded() -> str:
    job = ended(says.enqueue(1500))
    lines = monitoring.console(job.pk, limit=10_000)
    return f"{len(lines)} of {lines[-1].number} lines, the last is {lines[-1].text} of run {lines[-1].run}"


@claim("search by metadata", "found: attempts 2")
def metadata() -> str:
    job = ended(says.enqueue(0))
    found = find_jobs(f"metadata.attempts:2 id:{job.pk}").exists()
    return f"{'found' if found else 'not found'}: attempts {monitoring.metadata(job.pk)['attempts']}"


def _said(job: Job) -> list[str]:
    return [line.text for line in monitoring.console(job.pk)]
