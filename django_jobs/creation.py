"""From a call to a job that is not stored yet: options and defaults, checked, and with what filters made of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from . import clock, monitoring, queues, states
from .call import encode_arguments, encode_value, of_each
from .exceptions import InvalidJob, UnknownJobType, UnknownQueue
from .models import Job
from .moments import as_span, aware_moment
from .policies import edges
from .policies.edges import Awaited
from .registry import JobType, OnDuplicate, registry
from .states import filters
from .states.filters import Creation, Filter

HEADERS = 8 * 1024
"""Bytes of a job's headers as JSON."""


@dataclass(frozen=True)
class Options:
    """How a call is to be stored; what is None comes from the job type."""

    queue: str | None = None
    priority: int | None = None
    run_after: datetime | timedelta | None = None
    """When it is due: an aware datetime, or a timedelta from now. The past means at once."""
    expires: float | timedelta | datetime | None = None
    """Do not start later than this: a timedelta (or seconds) from when it is due, or an aware datetime."""
    created_by: Any = None
    tags: Sequence[str] = field(default_factory=tuple)
    headers: Mapping[str, Any] = field(default_factory=dict)
    """JSON values to store with the job; the run finds them in ``ctx.headers``."""
    after: Any = ()
    """Jobs and batches that it waits for; `run_after` and `expires`, as spans, then count from when they have ended."""
    on: str = "succeeded"
    """How all of those must have ended, or else it is deleted: "succeeded", "any", or "deleted"."""
    unique_key: str | None = None
    """No second job of the type has this key until the first has ended: Succeeded, Failed or Deleted."""
    unique_for: timedelta | None = None
    """How long the key is held at least, even though the job has ended."""
    on_duplicate: OnDuplicate | None = None
    """What a call with a taken key does: "return" the job that holds it (the default), or "raise" DuplicateJob."""
    concurrency_key: str | None = None
    """Jobs with the same key, of any type, do not run at once; ``max_per_key`` of their type allows for more."""

    def merged(self, **changes: Any) -> Options:
        unknown = sorted(set(changes) - set(self.__dataclass_fields__))
        if unknown:
            known = ", ".join(self.__dataclass_fields__)
            raise InvalidJob(unknown[0], f"is no option of a call; options are {known}")
        return replace(self, **changes)

    def __post_init__(self) -> None:
        if isinstance(self.expires, int | float) and not isinstance(self.expires, bool):
            object.__setattr__(self, "expires", as_span(self.expires, "expires"))
        if isinstance(self.tags, Iterator):
            object.__setattr__(self, "tags", tuple(self.tags))


Call = tuple[tuple[Any, ...], Mapping[str, Any]]


def resolve(job_type: JobType | str) -> tuple[JobType | None, str]:
    """The type, where its code is at hand, and its name. Raises UnknownJobType."""
    if isinstance(job_type, JobType):
        return job_type, job_type.name
    known = registry.find(job_type)
    if known is None and job_type not in registry.elsewhere:
        published = monitoring.published_types()
        if job_type not in published:
            raise UnknownJobType(job_type, published.union(registry.names(), registry.elsewhere))
    return known, known.name if known else job_type


def build(known: JobType | None, name: str, calls: Iterable[Call], options: Options) -> list[Job]:
    """The jobs of these calls, not stored yet: checked, and with what filters made of them."""
    if heard := filters.chain("creating", name):
        return of_each(calls, lambda call: _proposed(known, name, heard, call, options))
    first = _first(known, name, options)
    return of_each(calls, lambda call: first.twin(*encode_arguments(known, tuple(call[0]), call[1])))


def _proposed(known: JobType | None, name: str, heard: Iterable[Filter], call: Call, options: Options) -> Job:
    """The job that filters make of one call; what they changed is checked as the caller's own words are."""
    taken = {key: getattr(options, key) for key in ("run_after", "expires", "created_by")}
    creation = Creation(
        job_type=name,
        args=list(call[0]),
        kwargs=dict(call[1]),
        queue=options.queue or (known.queue if known else "default"),
        priority=options.priority if options.priority is not None else known.priority if known else 0,
        tags=_tags(options.tags),
        headers=_headers(options.headers),
        **taken,
    )
    for one in heard:
        one.creating(creation)
    words = {key: getattr(creation, key) for key in (*taken, "queue", "priority", "tags", "headers")}
    first = _first(known, name, replace(options, **words))
    return first.twin(*encode_arguments(known, tuple(creation.args), creation.kwargs))


def _first(known: JobType | None, name: str, options: Options) -> Job:
    """A job of these options, without arguments; one that waits for others has its terms beside it."""
    template = _template(known, name, options)
    if not isinstance(options.after, Awaited):
        return _blank().twin([], {}, **template)
    terms = edges.terms(options.run_after, _expires(known, options))
    job = Job(**{**template, **edges.waiting(options.after, terms)})
    job.terms = terms
    return job


@cache
def _blank() -> Job:
    """A job with every default; the model's own constructor is slow."""
    return Job()


def _template(known: JobType | None, name: str, options: Options) -> dict[str, Any]:
    """The columns that all jobs of one call share, checked."""
    now = clock.now()
    due = aware_moment(options.run_after, now, "run_after")
    waits = due if due is not None and due > now else None
    state = states.SCHEDULED if waits else states.ENQUEUED
    by = options.created_by
    if by is not None and not hasattr(by, "get_username"):
        raise InvalidJob("created_by", f"is {by!r:.100}; give a user, or None")
    return {
        "job_type": name,
        "queue": checked_queue(options.queue or (known.queue if known else "default")),
        "priority": checked_priority(
            options.priority if options.priority is not None else known.priority if known else 0
        ),
        "state": state,
        "created_state": state,
        "state_at": now,
        "created_at": now,
        "scheduled_at": due,
        "start_before": aware_moment(_expires(known, options), waits or now, "expires"),
        "created_by_id": getattr(by, "pk", None),
        "created_by_name": "" if by is None else by.get_username()[:150],
        "tags": _tags(options.tags),
        "headers": _headers(options.headers),
    }


def checked_queue(name: str) -> str:
    """The name, if it is one of the site's queues; raises UnknownQueue."""
    if name not in queues.names():
        raise UnknownQueue(name, queues.names())
    return name


def checked_priority(value: Any) -> int:
    """The number, if it is a priority; raises InvalidJob."""
    if type(value) is not int or not -100 <= value <= 100:
        raise InvalidJob("priority", f"is {value!r}; a priority is a whole number from -100 to 100, higher first")
    return value


def _tags(tags: Sequence[str]) -> list[str]:
    if (
        isinstance(tags, str)
        or not isinstance(tags, Iterable)
        or not all(isinstance(tag, str) and 0 < len(tag) <= 100 for tag in tags)
    ):
        raise InvalidJob("tags", f"is {tags!r}; tags are a list of texts of 1 to 100 characters")
    return list(dict.fromkeys(tags))


def _headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(headers, Mapping):
        raise InvalidJob("headers", f"is {headers!r:.100}; headers are a dictionary of JSON values")
    plain: dict[str, Any] = encode_value(headers, "headers")
    size = len(json.dumps(plain, ensure_ascii=False).encode()) if plain else 0
    if size > HEADERS:
        raise InvalidJob("headers", f"takes {size:,} bytes as JSON, the limit is {HEADERS:,}; store a key to the data")
    return plain


def _expires(known: JobType | None, options: Options) -> Any:
    if options.expires is not None:
        return options.expires
    return known.expires if known else None
