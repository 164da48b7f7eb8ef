"""Pages of a search, by key: each looks at so many rows, or so long, and says where the next one begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db.models import BigIntegerField, ExpressionWrapper, F, Q, QuerySet, Value

from .. import monitoring, states
from ..models import Job
from ..monitoring import CAP, Count
from .asking import Search, narrowed
from .meanings import Condition

WINDOW = monitoring.WINDOW
"""Rows of the first look."""
GROWTH = 4
SHORT = 0.1
"""Seconds after which a search asks before it looks further."""
LIVE = frozenset({states.SCHEDULED, states.ENQUEUED, states.PROCESSING})
"""States that an index has, but not in the order of the numbers."""

Key = tuple[Any, ...]
"""Where a page begins: the job's number, behind the value that the jobs are ordered by, if it is another."""


class Order(NamedTuple):
    """A column that an index bears together with the number."""

    column: str = "pk"
    descending: bool = True


NEWEST = Order()


@dataclass(frozen=True)
class Page:
    """`next` is where the next page begins; it was `cut` where nobody knows whether more is there."""

    jobs: list[Job]
    next: Key | None = None
    cut: bool = False
    looked: int = 0
    """How many jobs it looked at, where it was cut."""


@dataclass(frozen=True)
class Walk:
    """The rows in the order of an index. What no index bears is `rest`."""

    base: QuerySet[Job]
    order: Order
    rest: list[Condition] = field(default_factory=list)
    sorted: bool = False
    """Few rows, which are sorted instead of walked along."""

    def ahead(self, at: Key | None, until: Key | None = None) -> QuerySet[Job]:
        """Rows behind `at`, up to and with `until`."""
        rows = self.base
        if at is not None:
            rows = rows.filter(_behind(self.order, at))
        if until is not None:
            rows = rows.filter(_upto(self.order, until))
        sign = "-" if self.order.descending else ""
        if self.sorted:
            number = ExpressionWrapper(F("pk") + Value(0), output_field=BigIntegerField())
            return rows.order_by(number.desc() if sign else number.asc())
        columns = ("pk",) if self.order.column == "pk" else (self.order.column, "pk")
        return rows.order_by(*[f"{sign}{column}" for column in columns])

    def edge(self, at: Key | None, width: int) -> Key | None:
        """The key of the last of the next `width` rows; None where there are not so many."""
        names = ("pk",) if self.order.column == "pk" else (self.order.column, "pk")
        return self.ahead(at).values_list(*names)[width - 1 : width].first()


def _behind(order: Order, key: Key) -> Q:
    return _on(order.column, "lt" if order.descending else "gt", key)


def _upto(order: Order, key: Key) -> Q:
    return _on(order.column, "gte" if order.descending else "lte", key)


def _on(column: str, side: str, key: Key) -> Q:
    """Rows on that side of the key. The first condition is for the index."""
    number = Q(**{f"pk__{side}": key[-1]})
    if len(key) == 1:
        return number
    strictly = Q(**{f"{column}__{side[:2]}": key[0]})
    return Q(**{f"{column}__{side[:2]}e": key[0]}) & (strictly | number)


def key(job: Job, order: Order) -> Key:
    """Where a job stands in that order."""
    return (job.pk,) if order.column == "pk" else (getattr(job, order.column), job.pk)


def walk(jobs: QuerySet[Job], search: Search, order: Order = NEWEST) -> Walk:
    """How to go through the jobs that match."""
    if order.column != "pk":
        due = [one for one in search.conditions if one.key == states.SCHEDULED]
        return Walk(narrowed(jobs, due), order, [one for one in search.conditions if one not in due])
    borne, rest = search.parted()
    live = next((one for one in search.conditions if one.key in LIVE), None)
    if live is not None and live not in borne and not monitoring.capped_count(narrowed(jobs, [live])).capped:
        return Walk(search.narrow(jobs), order, sorted=True)
    if [one.key for one in borne] in ([], ["type"]) and (ended := _few_succeeded(jobs, search)) is not None:
        return Walk(search.narrow(ended), order, sorted=True)
    return Walk(narrowed(jobs, borne), order, rest)


def _few_succeeded(jobs: QuerySet[Job], search: Search) -> QuerySet[Job] | None:
    """Jobs that are to expire, which an index has, where few are and all that succeeded are among them."""
    asked = next((one for one in search.conditions if one.key == states.SUCCEEDED), None)
    if asked is None:
        return None
    sums = monitoring.totals()
    left = {state: sums.get(state, 0) - sums.get(f"{state}.left", 0) for state in states.FINAL}
    expiring = jobs.filter(expires_at__isnull=False)
    if sum(left.values()) >= CAP:
        return None
    all_are = monitoring.capped_count(narrowed(expiring, [asked])).number >= left[states.SUCCEEDED]
    return expiring if all_are else None


def page(way: Walk, at: Key | None = None, *, size: int, seconds: float = SHORT) -> Page:
    """The next `size` jobs that match. It looks at ever more rows until it has them, or `seconds` are nearly over."""
    if not way.rest:
        return _page(way, list(way.ahead(at)[: size + 1]), size)
    found: list[Job] = []
    began, width, looked = time.monotonic(), WINDOW, 0
    while True:
        until = way.edge(at, width)
        found += narrowed(way.ahead(at, until), way.rest)[: size + 1 - len(found)]
        if len(found) > size or until is None:
            return _page(way, found, size)
        at, looked = until, looked + width
        if (time.monotonic() - began) * GROWTH > seconds:
            return Page(found, at, cut=True, looked=looked)
        width *= GROWTH


def _page(way: Walk, found: Sequence[Job], size: int) -> Page:
    jobs = list(found[:size])
    return Page(jobs, key(jobs[-1], way.order) if 0 < size < len(found) else None)


def bounded_count(way: Walk, *, cap: int = CAP, seconds: float = SHORT) -> Count:
    """How many match, as far as that can be told in time; `capped` where there are at least that many."""
    if not way.rest:
        return monitoring.capped_count(way.ahead(None), cap)
    at: Key | None = None
    number, began, width = 0, time.monotonic(), WINDOW
    while True:
        until = way.edge(at, width)
        number += narrowed(way.ahead(at, until), way.rest).order_by().values("pk")[: cap - number].count()
        if number >= cap or until is None:
            return Count(number, number >= cap)
        if (time.monotonic() - began) * GROWTH > seconds:
            return Count(number, True)
        at, width = until, width * GROWTH
