"""The terms of a recurring job: what may be said of it, checked at the door, and as plain JSON."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from . import clock, creation
from .call import encode_arguments
from .cron import Cron, CronError
from .exceptions import InvalidCron, InvalidJob
from .models import RecurringJob
from .moments import as_span, aware_moment
from .registry import JobType
from .timetable import parsed

CALL = ("job_type", "args", "kwargs", "queue", "priority")
TIMES = ("cron", "time_zone", "match_both_days", "starts_at", "ends_at")
TERMS = (*CALL, "expires", "description", *TIMES, "misfire", "overlap", "jitter", "enabled")
LONGEST_JITTER = 86_400


def checked(id: Any, job_type: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The columns of a recurring job. Raises InvalidJob naming the first field that cannot be."""
    _check_id(id)
    if unknown := sorted(set(values) - {*TERMS} | ({"job_type"} & set(values))):
        raise InvalidJob(unknown[0], f"is no term of a recurring job; terms are {', '.join(TERMS[1:])}")
    if "cron" not in values:
        raise InvalidJob("cron", 'is missing; give an expression such as "0 2 * * *"')
    return {
        **_call(getattr(job_type, "job_type", job_type), values),
        **_times(values),
        "description": _text("description", values.get("description", ""), 500),
        "misfire": _choice("misfire", values.get("misfire", "relaxed"), RecurringJob.Misfire.values),
        "overlap": _choice("overlap", values.get("overlap", "allow"), RecurringJob.Overlap.values),
        "jitter": _jitter(values.get("jitter", 0)),
        "enabled": _flag("enabled", values.get("enabled", True)),
    }


def _check_id(id: Any) -> None:
    if not isinstance(id, str) or not 0 < len(id) <= 200 or id != id.strip() or "/" in id or not id.isprintable():
        raise InvalidJob("id", f"is {id!r:.220}; an id is a text of 1 to 200 characters without a slash")


def _call(job_type: JobType | str, values: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(job_type, JobType | str):
        raise InvalidJob("job_type", f"is {job_type!r:.100}; give a function under @job, or the name of a job type")
    known, name = creation.resolve(job_type)
    args, kwargs = values.get("args") or (), values.get("kwargs") or {}
    if not isinstance(args, list | tuple):
        raise InvalidJob("args", f"is {args!r:.100}; give a list of arguments")
    if not isinstance(kwargs, dict):
        raise InvalidJob("kwargs", f"is {kwargs!r:.100}; give arguments by name")
    plain_args, plain_kwargs = encode_arguments(known, tuple(args), kwargs)
    queue, priority, expires = values.get("queue"), values.get("priority"), values.get("expires")
    return {
        "job_type": name,
        "args": plain_args,
        "kwargs": plain_kwargs,
        "queue": creation.checked_queue(queue or (known.queue if known else "default")),
        "priority": creation.checked_priority(priority if priority is not None else known.priority if known else 0),
        "expires": _expires(expires if expires is not None else known.expires if known else None),
    }


def _expires(value: Any) -> timedelta | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = as_span(value, "expires")
    if value is not None and (not isinstance(value, timedelta) or value <= timedelta(0)):
        raise InvalidJob("expires", f"is {value!r:.100}; give a timedelta above 0 (or seconds), or None")
    return value


def _times(values: dict[str, Any]) -> dict[str, Any]:
    cron, zone, both = _cron(values)
    starts_at, ends_at = (_moment(name, values.get(name)) for name in ("starts_at", "ends_at"))
    if starts_at and ends_at and ends_at < starts_at:
        raise InvalidJob("ends_at", f"is {ends_at.isoformat()}, which is before starts_at")
    return {"cron": cron, "time_zone": zone, "match_both_days": both, "starts_at": starts_at, "ends_at": ends_at}


def _cron(values: dict[str, Any]) -> tuple[str, str, bool]:
    """Expression, zone, and whether both days must match; a Cron brings all three."""
    cron = values["cron"]
    if isinstance(cron, Cron):
        values = {"time_zone": cron.time_zone, "match_both_days": cron.match_both_days, **values}
        cron = cron.expression
    zone = _text("time_zone", values.get("time_zone", "UTC"), 64)
    both = _flag("match_both_days", values.get("match_both_days", False))
    return read_cron(_text("cron", cron, 500), zone, match_both_days=both).expression, zone, both


def read_cron(cron: str, time_zone: str, *, match_both_days: bool) -> Cron:
    """The expression; raises InvalidCron naming ``cron`` or ``time_zone``."""
    try:
        return parsed(cron, time_zone, match_both_days)
    except CronError as error:
        if error.field == "time_zone":
            raise InvalidCron("time_zone", error.message) from None
        raise InvalidCron("cron", error.message if error.field == "cron" else str(error)) from None


def _moment(name: str, value: Any) -> datetime | None:
    if value is not None and not isinstance(value, datetime):
        raise InvalidJob(name, f"is {value!r:.100}; give an aware datetime, or None")
    return aware_moment(value, clock.now(), name)


def _text(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest or "\x00" in value:
        raise InvalidJob(name, f"is {value!r:.100}; give a text of at most {longest} characters")
    return value


def _choice(name: str, value: Any, choices: list[str]) -> str:
    if value not in choices:
        raise InvalidJob(name, f"is {value!r:.100}; give {', '.join(choices[:-1])} or {choices[-1]}")
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise InvalidJob(name, f"is {value!r:.100}; give True or False")
    return value


def _jitter(value: Any) -> int:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_JITTER:
        raise InvalidJob("jitter", f"is {value!r:.100}; give seconds from 0 to {LONGEST_JITTER:,}, or a timedelta")
    return int(seconds)


def plain(terms: dict[str, Any]) -> dict[str, Any]:
    """Terms as JSON values, to be kept and compared."""
    return {name: _plain(value) for name, value in terms.items()}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.timestamp()
        case timedelta():
            return value.total_seconds()
    return value
