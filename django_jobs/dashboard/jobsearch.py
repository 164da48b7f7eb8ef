"""What the address of the job list asks for: the tab, the filters and the search box, as one search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, IGNORED_PARAMS, PAGE_VAR, SEARCH_VAR
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from .. import search, states
from ..search import NEWEST, Key, Order, Search, quoted
from ..search.refusals import BadSearch

AFTER, BEFORE, SIZE, FURTHER = "after", "before", "size", "further"
PLACE = (AFTER, BEFORE, FURTHER)
"""Where in the list we are. It is left behind whenever something else is asked."""
OWN = (*PLACE, SIZE)
SIZES = (25, 50, 100, 200)
BREACHES = {"broken": "broken", "max_wait": "wait", "max_run": "run"}
CREATORS = {"me": "user:me", "users": "user:*"}
AGES = {"hour": "created>=-1h", "day": "created>=-1d", "week": "created>=-1w"}
FILTERS: dict[str, Callable[[str], str]] = {
    "state": lambda value: f"state:{quoted(value)}",
    "queue": lambda value: f"queue:{quoted(value)}",
    "job_type": lambda value: f"type:{quoted(value)}",
    "batch": lambda value: f"batch:{quoted(value)}",
    "recurring_job": lambda value: f"recurring:{quoted(value)}",
    "worker": lambda value: f"worker:{quoted(value)}",
    "creator": lambda value: CREATORS[value],
    "sla": lambda value: f"sla:{BREACHES[value]}",
    "created": lambda value: AGES[value],
}
"""Parameters of the address, in the language of searches."""
COLUMNS = {"pk": "pk", "id": "pk", "job_type": "job_type", "scheduled_at": "scheduled_at"}


def narrowing(given: Mapping[str, Sequence[str]]) -> str:
    """The tab and the filters in the language of searches. Raises IncorrectLookupParameters."""
    try:
        terms = [FILTERS[name](values[-1]) for name, values in given.items() if name not in OWN and values[-1]]
    except KeyError as error:
        raise IncorrectLookupParameters(f"There is no filter {error}") from error
    return " ".join(terms)


def filters_of(request: HttpRequest) -> dict[str, list[str]]:
    """The tab and the filters, as the address has them."""
    others = {*IGNORED_PARAMS, *OWN, PAGE_VAR, ERROR_FLAG}
    return {name: values for name, values in request.GET.lists() if name not in others}


def asked_for(request: HttpRequest, *, payload: bool) -> Search:
    """The search of this address. Raises BadSearch for the text, IncorrectLookupParameters for the rest."""
    try:
        terms = narrowing(filters_of(request))
        search.compile(terms, by=request.user)
    except BadSearch as error:
        raise IncorrectLookupParameters(str(error)) from error
    typed = search.compile(request.GET.get(SEARCH_VAR, ""), by=request.user, payload=payload)
    return search.compile(f"{typed} {terms}", by=request.user, payload=payload)


def columns_that_sort(request: HttpRequest) -> list[str]:
    """Those that an index bears for what is asked, with their numbers."""
    filters = filters_of(request)
    if filters.get("state") == [states.SCHEDULED]:
        return ["number", "due"]
    return ["number"] if filters or request.GET.get(SEARCH_VAR) else ["number", "job_type"]


def order_of(names: Sequence[str], sortable: Sequence[str], *, scheduled: bool) -> Order:
    """The order that was asked for, if an index bears it; the usual one otherwise."""
    usual = Order("scheduled_at", descending=False) if scheduled else NEWEST
    if not names:
        return usual
    column = COLUMNS.get(str(names[0]).removeprefix("-"), "")
    allowed = {"number": "pk", "due": "scheduled_at", "job_type": "job_type"}
    if column not in {allowed[name] for name in sortable}:
        return usual
    return Order(column, descending=str(names[0]).startswith("-"))


def size_of(request: HttpRequest, usual: int) -> int:
    text = request.GET.get(SIZE, str(usual))
    if text not in {str(size) for size in (*SIZES, usual)}:
        raise IncorrectLookupParameters("There is no such size of a page")
    return int(text)


def key_as_text(key: Key) -> str:
    return ",".join(part.isoformat() if isinstance(part, datetime) else str(part) for part in key)


def key_from(text: str, order: Order) -> Key:
    """The place that a link of a page names. Raises IncorrectLookupParameters."""
    value, comma, number = text.rpartition(",")
    if not (number.isascii() and number.isdecimal() and len(number) < 19) or bool(comma) == (order.column == "pk"):
        raise IncorrectLookupParameters("No page has given this place")
    if order.column == "pk":
        return (int(number),)
    return _value(value, order), int(number)


def _value(text: str, order: Order) -> Any:
    if order.column != "scheduled_at":
        return text.replace("\0", "")
    with suppress(ValueError, OverflowError):
        found = parse_datetime(text)
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    raise IncorrectLookupParameters("No page has given this place")
