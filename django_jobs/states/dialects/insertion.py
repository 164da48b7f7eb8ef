"""New jobs as one statement for a set.

What differs travels as one JSON text, what they share is a parameter each, and what is at its default (most columns of
most jobs) is part of the statement's text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Field, JSONField

from ...models import Job

FIELDS: tuple[Field[Any, Any], ...] = tuple(field for field in Job._meta.concrete_fields if not field.primary_key)
NAMES = tuple(field.attname for field in FIELDS)
LITERALS = {"None": "NULL", "''": "''", "0": "0", "False": "false", "{}": "'{}'", "[]": "'[]'"}
"""How the values are written that a statement may have in its text, by their Python form."""
RESTS = tuple(value if repr(value := field.get_default()) in LITERALS else ... for field in FIELDS)
"""The defaults among those; `...` for a column that has another one, or none."""
RESTING = tuple((at, name, RESTS[at]) for at, name in enumerate(NAMES))
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

INSERT = "INSERT {ignore} INTO {table} ({columns}) SELECT {values} {source} {conflict} RETURNING id, active_key"
SOURCES = {
    "postgresql": "FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS e(value, number) ORDER BY e.number",
    "sqlite": "FROM json_each(%s) AS e WHERE true ORDER BY e.key",
    "mysql": "FROM JSON_TABLE(%s, '$[*]' COLUMNS (number FOR ORDINALITY, {columns})) AS e ORDER BY e.number",
}


def insert(alias: str, jobs: Sequence[Job]) -> None:
    """Store new jobs, all or none, and give them their ids."""
    for job, (number, _) in zip(jobs, _insert(alias, jobs, unique=False), strict=True):
        _stored(job, alias, number)


def insert_unique(alias: str, jobs: Sequence[Job]) -> list[Job]:
    """Store those of new jobs whose `active_key` no other job has, in the set or the table; returns these.

    It waits for a transaction that has just stored the same key. Sets are in the order of their keys, or two may wait
    for each other.
    """
    first: dict[str | None, Job] = {}
    for job in jobs:
        first.setdefault(job.active_key, job)
    stored = _insert(alias, list(first.values()), unique=True)
    return [_stored(first[key], alias, number) for number, key in stored]


def _stored(job: Job, alias: str, number: int) -> Job:
    job.pk = number
    job._state.adding = False
    job._state.db = alias
    return job


def _insert(alias: str, jobs: Sequence[Job], *, unique: bool) -> list[tuple[int, str | None]]:
    connection = connections[alias]
    columns = [[job.__dict__[name] for job in jobs] for name in NAMES] if len(jobs) > 1 else []
    varying = tuple(at for at, column in enumerate(columns) if not _alike(column))
    if columns and not varying:
        varying = (0,)  # a row for each, also where all are the same
    first = jobs[0].__dict__
    given = tuple(at for at, name, rest in RESTING if not _rests(first[name], rest) and at not in varying)
    values = [FIELDS[at].get_db_prep_save(first[NAMES[at]], connection) for at in given]
    if varying:
        parts = [_plain(FIELDS[at], columns[at], connection) for at in varying]
        values.append(encode(list(zip(*parts, strict=True))))
    with connection.cursor() as cursor:
        cursor.execute(_statement(connection.vendor, alias, varying, given, unique), values)
        return list(cursor.fetchall())


def _rests(value: Any, default: Any) -> bool:
    """Whether it is the column's default, and of its type: 0 is no False."""
    return value is default or (value == default and type(value) is type(default))


def _alike(column: list[Any]) -> bool:
    """Whether all rows share one value; what is merely equal (1 and True) is not the same in JSON."""
    first = column[0]
    if isinstance(first, list | dict) and not first:
        return all(type(value) is type(first) and not value for value in column)
    return all(value is first for value in column)


def _plain(field: Field[Any, Any], column: list[Any], connection: BaseDatabaseWrapper) -> list[Any]:
    """The values as JSON can carry them."""
    if isinstance(field, DateTimeField):
        adapt = connection.ops.adapt_datetimefield_value
        return [None if value is None else str(adapt(value)) for value in column]
    if isinstance(field, JSONField) and connection.vendor != "postgresql":  # text, compared by its letters: as Django's
        return [field.get_db_prep_save(value, connection) for value in column]
    return column


@cache
def _statement(vendor: str, alias: str, varying: tuple[int, ...], given: tuple[int, ...], unique: bool) -> str:
    connection = connections[alias]
    quote = connection.ops.quote_name
    values, columns = [], []
    for at, field in enumerate(FIELDS):
        if at not in varying and at not in given and RESTS[at] is None:
            continue  # no column has another default in the database than NULL where it may be NULL
        columns.append(quote(str(field.column)))
        kind = (field.db_type(connection) or "").partition("(")[0]
        if at in varying:
            values.append(_element(vendor, kind, isinstance(field, JSONField), varying.index(at)))
        else:
            value = "%s" if at in given else LITERALS[repr(RESTS[at])]
            values.append(f"{value}::{kind}" if vendor == "postgresql" else value)
    source = SOURCES[vendor] if varying else ""
    kinds = ["longtext" if isinstance(FIELDS[at], JSONField) else str(FIELDS[at].db_type(connection)) for at in varying]
    typed = [f"c{place} {kind} PATH '$[{place}]'" for place, kind in enumerate(kinds)]
    table = quote(Job._meta.db_table)
    return INSERT.format(
        table=table,
        columns=", ".join(columns),
        values=", ".join(values),
        source=source.replace("{columns}", ", ".join(typed)),
        ignore="IGNORE" if unique and vendor == "mysql" else "",
        conflict="ON CONFLICT DO NOTHING" if unique and vendor != "mysql" else "",
    )


def _element(vendor: str, kind: str, is_json: bool, place: int) -> str:
    """One column of the SELECT, from the row's JSON."""
    if vendor == "postgresql":
        return f"NULLIF(e.value->{place}, 'null')" if is_json else f"(e.value->>{place})::{kind}"
    return f"e.c{place}" if vendor == "mysql" else f"json_extract(e.value, '$[{place}]')"
