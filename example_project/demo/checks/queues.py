"""What people may do with queues."""

from __future__ import annotations

from django_jobs import steering
from example_project.demo.jobs import echoes

from . import claim, ended, told


@claim("a paused queue", "waits, then succeeded: 1")
def paused() -> str:
    steering.pause_queue("low-priority")
    try:
        held = echoes.using(queue="low-priority").enqueue(1)
        ended(echoes.enqueue(2))
        held.refresh_from_db()
        before = "waits" if held.state == "enqueued" else held.state
    finally:
        steering.resume_queue("low-priority")
    return f"{before}, then {told(held)}"


@claim("a purged queue", "3 purged, deleted: Purged with its queue")
def purged() -> str:
    steering.pause_queue("low-priority")
    try:
        jobs = [echoes.using(queue="low-priority").enqueue(n) for n in range(3)]
        count = steering.purge_queue("low-priority")
    finally:
        steering.resume_queue("low-priority")
    return f"{count} purged, {told(jobs[0], lambda job: job.state_reason)}"
