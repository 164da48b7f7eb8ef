"""The rows of django-celery-beat, which must be in INSTALLED_APPS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.apps import apps

from .. import queues
from . import COUNTED, Found, Unclear, cron_of_interval, job_type_of, unused_id

OWN = "celery.backend_cleanup"
SECONDS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1, "microseconds": 1e-6}


def read(renamed: Mapping[str, str], *, time_zone: str, prefix: str = "", queue: str | None = None) -> list[Found]:
    """Every periodic task, by its name. Raises Unclear where the package is not installed."""
    if not apps.is_installed("django_celery_beat"):
        raise Unclear("django_celery_beat is not in INSTALLED_APPS; leave it there until its rows are imported")
    rows = _model("PeriodicTask").objects.order_by("name")
    rows = rows.select_related("interval", "crontab", "solar", "clocked")
    taken = set[str]()
    return [_entry(row, unused_id(_id(row, prefix), taken), renamed, time_zone, queue) for row in rows]


def _model(name: str) -> Any:
    """A model of a package that need not be there."""
    return apps.get_app_config("django_celery_beat").get_model(name)


def _id(row: Any, prefix: str) -> str:
    return f"{prefix}{row.name}".replace("/", "-")


def _entry(row: Any, id: str, renamed: Mapping[str, str], time_zone: str, queue: str | None) -> Found:
    entry = Found(f"periodic task {row.pk}", f"{row.name}: {row.task}", id)
    entry.terms = {"time_zone": time_zone, "enabled": row.enabled, "description": row.description[:500]}
    entry.terms |= {"starts_at": row.start_time, "ends_at": row.expires}
    entry.terms |= {"expires": timedelta(seconds=row.expire_seconds)} if row.expire_seconds else {}
    try:
        if row.task == OWN:
            raise Unclear("is Celery's own housekeeping; jobs have a retention of their own")
        entry.terms |= _times(row, entry)
        entry.job_type = job_type_of(row.task, renamed)
        entry.terms |= {"args": _json(row, "args", list), "kwargs": _json(row, "kwargs", dict)}
    except Unclear as error:
        entry.problem = str(error)
    entry.terms |= _place(row, queue, entry)
    entry.notes += _differences(row)
    return entry


def _times(row: Any, entry: Found) -> dict[str, Any]:
    if row.one_off:
        raise Unclear("runs once; schedule a job instead: task.schedule(moment)")
    if row.clocked:
        raise Unclear(f"runs once, {row.clocked.clocked_time:%Y-%m-%d %H:%M %Z}; schedule a job: task.schedule(moment)")
    if row.solar:
        raise Unclear("follows the sun; give it a time of day, or a job that schedules its successor")
    if row.interval:
        entry.notes.append(COUNTED)
        return {"cron": cron_of_interval(row.interval.every * SECONDS[row.interval.period])}
    if row.crontab is None:
        raise Unclear("has no schedule")
    return _crontab(row.crontab)


def _crontab(crontab: Any) -> dict[str, Any]:
    """Celery wants both days to match where both are given; classic cron wants one of them."""
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    fields = ["".join(str(getattr(crontab, name)).split()) for name in names]
    both = fields[2] != "*" and fields[4] != "*"
    return {"cron": " ".join(fields), "time_zone": str(crontab.timezone), "match_both_days": both}


def _json(row: Any, name: str, kind: type) -> Any:
    try:
        value = json.loads(getattr(row, name) or ("[]" if kind is list else "{}"))
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise Unclear(
            f"has {name} that are no JSON {'list' if kind is list else 'object'}: {getattr(row, name)!r:.100}"
        )
    return value


def _place(row: Any, queue: str | None, entry: Found) -> dict[str, Any]:
    named = row.queue or row.routing_key
    if queue or named in queues.names():
        return {"queue": queue or named}
    if named:
        entry.notes.append(f"was sent to {named}, which is no queue here; it takes the queue of its job type")
    return {}


def _differences(row: Any) -> Iterator[str]:
    if row.priority is not None:
        yield f"had priority {row.priority} of its broker; it takes the priority of its job type"
    if row.headers not in ("", "{}"):
        yield "had message headers; they are left out"
