"""What people may do with queues."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from django_jobs import client, steering
from example_project.demo.jobs import echoes, sleeps

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


@claim("a queue paused for 2 s", "waits, then succeeded: 1 in its time")
def paused_until() -> str:
    until, jobs = timezone.now() + timedelta(seconds=2), []
    steering.pause_queue("low-priority", until=until)
    time.sleep(1)  # what a worker read of pauses before is believed so long
    for _ in range(8):  # each worker hears of the pause by a bell, which is lost until the sweep
        jobs.append(held := echoes.using(queue="low-priority").enqueue(1))
        ended(echoes.enqueue(2))
    held.refresh_from_db()
    before = "waits" if held.state == "enqueued" else held.state
    after = told(held)
    client.cancel([job.pk for job in jobs])
    held.refresh_from_db()
    return f"{before}, then {after}" + (" in its time" if held.started_at and held.started_at >= until else " too soon")


@claim("queues by weight", "the last queue has its turns")
def weights() -> str:
    with transaction.atomic():
        first = sleeps.using(queue="critical").enqueue_many([(0.02,)] * 80)
        last = sleeps.using(queue="low-priority").enqueue_many([(0,)] * 4)
    began = [[job.started_at for job in map(ended, jobs) if job.started_at] for jobs in (first, last)]
    return "the last queue has its turns" if min(began[1]) < max(began[0]) else "the last queue comes last"


@claim("a purged queue", "3 purged, deleted: Purged with its queue")
def purged() -> str:
    steering.pause_queue("low-priority")
    try:
        jobs = [echoes.using(queue="low-priority").enqueue(n) for n in range(3)]
        count = steering.purge_queue("low-priority")
    finally:
        steering.resume_queue("low-priority")
    return f"{count} purged, {told(jobs[0], lambda job: job.state_reason)}"
