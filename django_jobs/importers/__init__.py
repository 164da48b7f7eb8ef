"""Timetables of other systems, read for ours. `Found` is what an importer finds, line by line; `store` stores it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from .. import schedules
from ..declared import declarations
from ..exceptions import InvalidJob, JobsError
from ..models import RecurringJob
from ..registry import JobType, registry
from ..terms import checked
from ..transactions import atomic

MINUTE, HOUR, DAY = 60, 3600, 86_400
LONGEST_ID = 200


class Unclear(Exception):
    """What is said of an entry that cannot be carried over."""


@dataclass
class Found:
    """An entry of another system: a recurring job to be, or why it cannot become one."""

    place: str
    """Where it stands, such as "line 7"."""
    text: str
    id: str = ""
    job_type: Any = None
    terms: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What is different from now on."""
    problem: str = ""
    """Why it is not carried over."""


def check(entries: Iterable[Found]) -> None:
    """Say of each entry whether it could be stored, and store nothing."""
    for entry in entries:
        if not entry.problem:
            _try(entry, _check)


def store(entries: Iterable[Found]) -> None:
    """Add or update each entry that can be; the others say why not."""
    for entry in entries:
        if not entry.problem:
            _try(entry, _add)


def _check(entry: Found) -> None:
    _refuse_taken(entry, schedules.rows())
    checked(entry.id, entry.job_type, dict(entry.terms))


def _add(entry: Found) -> None:
    source = RecurringJob.Source.ADMIN
    with atomic():
        _refuse_taken(entry, schedules.rows().select_for_update())
        schedules.add_or_update(entry.id, entry.job_type, source=source, **entry.terms)


def _refuse_taken(entry: Found, rows: QuerySet[RecurringJob]) -> None:
    """Raises InvalidJob where the id is that of something else: only what an import made may be imported again."""
    row = rows.filter(pk=entry.id).first()
    if entry.id in declarations.ids() or (row and row.source == RecurringJob.Source.CODE):
        whose = "that the code declares"
    elif row and _name(row.job_type) != _name(entry.job_type):
        whose = f"of the type {row.job_type}"
    else:
        return
    raise InvalidJob("id", f"{entry.id!r} is taken by a recurring job {whose}; give --prefix")


def _name(job_type: JobType | str) -> str:
    """The name of a job type, also by one of its aliases."""
    known = registry.find(job_type) if isinstance(job_type, str) else job_type
    return known.name if known else str(job_type)


def _try(entry: Found, step: Callable[[Found], object]) -> None:
    try:
        step(entry)
    except JobsError as error:
        entry.problem = str(error)


def job_type_of(path: str, renamed: Mapping[str, str]) -> JobType:
    """The job type that takes the place of a function or task of that name. Raises Unclear where there is none."""
    name = renamed.get(path, path)
    known = registry.find(name) or next((one for one in registry if one.path == name), None)
    if known is None:
        raise Unclear(f"runs {path}, which is no job type here: put @job on it, or say --map {path}=NAME")
    return known


def cron_of_interval(seconds: float) -> str:
    """The expression that is due so often. Raises Unclear where a clock face has no such interval."""
    if seconds == DAY:
        return "0 0 * * *"
    for unit, size, form in ((1, 60, "*/{} * * * * *"), (MINUTE, 60, "*/{} * * * *"), (HOUR, 24, "0 */{} * * *")):
        count = seconds / unit
        if count >= 1 and count == int(count) and size % count == 0 and count < size:
            return form.format(int(count))
    raise Unclear(
        f"runs every {seconds:g} s, and no timetable does: clocks repeat what divides a minute, an hour or a day; "
        "choose another interval, or let the job schedule its successor"
    )


COUNTED = "was counted from its last run; it will run at full multiples of its interval"


def unused_id(id: str, taken: set[str]) -> str:
    """The id, or with a number behind it where it is taken; cut to what an id may have."""
    number, name = 1, id[:LONGEST_ID].strip()
    while name in taken:
        number += 1
        name = f"{id[: LONGEST_ID - len(f'-{number}')].strip()}-{number}"
    taken.add(name)
    return name
