"""Which limits concern a job: those of its type, of its keys, and of its queue."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from ..conf import settings
from ..exceptions import InvalidJob
from ..keys import digest, rendered
from ..models import Queue
from ..rates import RateLimit, rate_from
from ..registry import JobType, registry
from ..states.statements import Candidate

logger = logging.getLogger("django_jobs.jobs")


class Ceiling(NamedTuple):
    """One limit, as it is now."""

    key: str
    name: str
    maximum: int
    reason: str
    rate: RateLimit | None = None

    def until(self, at: datetime) -> datetime | None:
        """When a slot taken at that time becomes free by itself; None where the run's end frees it."""
        return None if self.rate is None else self.rate.until(at)


class QueueLimits(NamedTuple):
    """The limits of a queue; None for none."""

    max_concurrency: int | None = None
    rate_limit: RateLimit | None = None

    def __str__(self) -> str:
        at_once = "" if self.max_concurrency is None else f"{self.max_concurrency} at once"
        return ", ".join(filter(None, (at_once, str(self.rate_limit or ""))))


def ceilings_of(jobs: Sequence[Candidate]) -> dict[int, list[Ceiling]]:
    """The limits of each job, those that are most its own first."""
    queues = queue_limits({job.queue for job in jobs})
    return {job.id: [*_of_type(job), *_of_queue(job.queue, queues[job.queue])] for job in jobs}


def queue_ceilings(name: str) -> list[Ceiling]:
    """The limits of a queue, as they are now."""
    return list(_of_queue(name, queue_limits([name])[name]))


def queue_limits(names: Collection[str]) -> dict[str, QueueLimits]:
    """What limits these queues: their rows, where those say something, or else the setting ``QUEUE_LIMITS``."""
    rows = Queue.objects.using(settings.DATABASE).filter(name__in=names)
    given = {name: (number, rate) for name, number, rate in rows.values_list("name", "max_concurrency", "rate_limit")}
    return {name: _merged(settings.QUEUE_LIMITS.get(name, {}), *given.get(name, (None, ""))) for name in names}


def _merged(usual: dict[str, Any], number: int | None, rate: str) -> QueueLimits:
    given = rate or usual.get("rate_limit")
    return QueueLimits(usual.get("max_concurrency") if number is None else number, rate_from(given) if given else None)


def _of_queue(name: str, limits: QueueLimits) -> Iterator[Ceiling]:
    if limits.max_concurrency is not None:
        yield _at_once(f"queue:{name}", limits.max_concurrency, f"of queue {name}")
    if limits.rate_limit is not None:
        yield _in_time(f"queue:{name}", limits.rate_limit, f"of queue {name}")


def _of_type(job: Candidate) -> Iterator[Ceiling]:
    known = registry.find(job.job_type)
    key = job.concurrency_key or (_key(known, known.concurrency_key, job) if known and known.concurrency_key else "")
    if key:
        yield _at_once(f"key:{key}", known.max_per_key if known else 1, f"with the key {key}")
    if known is None:
        return
    if known.max_concurrency is not None:
        yield _at_once(f"type:{known.name}", known.max_concurrency, f"of type {known.name}")
    for rate in known.rate_limits:
        if rate.key is None:
            yield _in_time(f"type:{known.name}", rate, f"of type {known.name}")
        elif key := _key(known, rate.key, job):
            yield _in_time(f"type:{known.name}:{key}", rate, f"of type {known.name} with the key {key}")


def _key(known: JobType, template: Any, job: Candidate) -> str:
    """The key of a stored call. One of which none can be made shares one with its like."""
    try:
        return rendered(template, known, job.args, job.kwargs, "concurrency_key")
    except InvalidJob as error:
        logger.warning("Job %d %s: %s", job.id, job.job_type, error, extra={"job_id": job.id})
        return f"{known.name}: no key"


def _at_once(name: str, maximum: int, what: str) -> Ceiling:
    reason = f"Waits for a slot: at most {maximum} {what} at once"
    return Ceiling(digest(name, length=40), name, maximum, reason[:200])


def _in_time(name: str, rate: RateLimit, what: str) -> Ceiling:
    reason = f"Waits for its time: at most {rate} {what}"
    named = f"{name} {rate}"
    return Ceiling(digest(named, length=40), named, rate.count, reason[:200], rate)
