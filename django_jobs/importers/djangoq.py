"""The schedules of django-q2, which must be in INSTALLED_APPS."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.apps import apps

from . import COUNTED, MINUTE, Found, Unclear, cron_of_interval, job_type_of, unused_id

LAST_SAFE_DAY = 28


def read(renamed: Mapping[str, str], *, time_zone: str, prefix: str = "", queue: str | None = None) -> list[Found]:
    """Every schedule. `time_zone` is the site's, by which its times are told. Raises Unclear without the package."""
    if not apps.is_installed("django_q"):
        raise Unclear("django_q is not in INSTALLED_APPS; leave it there until its schedules are imported")
    rows = _model("Schedule").objects.order_by("pk")
    taken = set[str]()
    return [_entry(row, unused_id(_id(row, prefix), taken), renamed, time_zone, queue) for row in rows]


def _model(name: str) -> Any:
    """A model of a package that need not be there."""
    return apps.get_app_config("django_q").get_model(name)


def _id(row: Any, prefix: str) -> str:
    return f"{prefix}{row.name or f'{row.func}-{row.pk}'}".replace("/", "-")


def _entry(row: Any, id: str, renamed: Mapping[str, str], time_zone: str, queue: str | None) -> Found:
    entry = Found(f"schedule {row.pk}", f"{row.name or row.func}: {row.func}({row.args or ''})", id)
    entry.terms = {"time_zone": time_zone, "enabled": row.repeats != 0, "queue": queue}
    try:
        entry.terms["cron"] = _cron(row, ZoneInfo(time_zone), entry)
        entry.job_type = job_type_of(row.func, renamed)
        entry.terms |= {"args": _args(row.args), "kwargs": _kwargs(row.kwargs)}
        if row.repeats > 0:
            raise Unclear(f"runs {row.repeats} more times; give it an end by time: ends_at")
        if row.intended_date_kwarg:
            raise Unclear(f"passes its due time as {row.intended_date_kwarg}; monitoring.get(ctx.id).tick has it")
    except Unclear as error:
        entry.problem = str(error)
    if row.hook:
        entry.notes.append(f"called {row.hook} with its result; make that a continuation, or a filter")
    if row.cluster:
        entry.notes.append(f"ran on the cluster {row.cluster}; give its job type a queue")
    return entry


def _cron(row: Any, zone: ZoneInfo, entry: Found) -> str:
    kind = row.schedule_type
    if kind == "C":
        return str(row.cron)
    if kind == "I":
        entry.notes.append(COUNTED)
        return cron_of_interval((row.minutes or 1) * MINUTE)
    if kind == "O":
        raise Unclear("runs once; schedule a job instead: task.schedule(moment)")
    if kind == "BW":
        raise Unclear("runs every second week, which no timetable says; let the job schedule its successor")
    if row.next_run is None:
        raise Unclear("has no next run, from which its time of day would follow")
    return FORMS[kind](_day_checked(row.next_run.astimezone(zone), kind))


def _day_checked(at: datetime, kind: str) -> datetime:
    if kind in {"M", "BM", "Q"} and at.day > LAST_SAFE_DAY:
        raise Unclear(f"runs on day {at.day}, which some months do not have; say whether you mean L, the last day")
    return at


def _every_months(count: int) -> Callable[[datetime], str]:
    """Months that are so many apart, and among them the one of the next run."""

    def form(at: datetime) -> str:
        months = sorted((at.month - 1 + step * count) % 12 + 1 for step in range(12 // count))
        return f"{at:%-M %-H %-d} {','.join(map(str, months))} *"

    return form


FORMS: dict[str, Callable[[datetime], str]] = {
    "H": "{0:%-M} * * * *".format,
    "D": "{0:%-M %-H} * * *".format,
    "W": "{0:%-M %-H} * * {0:%w}".format,
    "M": "{0:%-M %-H %-d} * *".format,
    "BM": _every_months(2),
    "Q": _every_months(3),
    "Y": "{0:%-M %-H %-d %-m} *".format,
}


def _args(text: str | None) -> list[Any]:
    """Literals, as django-q2 reads them: one value, or several with commas."""
    value = _literal(text) if text else ()
    return list(value) if isinstance(value, tuple) else [value]


def _kwargs(text: str | None) -> dict[str, Any]:
    """A dictionary, or the words of a call: ``a=1, b="x"``."""
    if not text:
        return {}
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = _literal(f"dict({text})", words=True)
    if not isinstance(value, dict):
        raise Unclear(f"has kwargs that cannot be read: {text!r:.100}")
    return value


def _literal(text: str, *, words: bool = False) -> Any:
    try:
        if words:
            call = ast.parse(text, mode="eval").body
            if not isinstance(call, ast.Call) or call.args:
                raise ValueError(text)
            return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise Unclear(f"has arguments that are no literals: {text!r:.100}") from None
