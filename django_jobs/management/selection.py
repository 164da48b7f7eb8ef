"""Options that choose jobs, the same for every verb that lists or moves them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser
from django.db.models import QuerySet

from .. import states
from ..models import Job
from ..search import find_jobs, quoted, written
from ..search.refusals import BadSearch
from .exits import Misused
from .inputs import pair

NAMES = ("state", "type", "queue", "user", "tag", "arg", "metadata", "search")


def add_options(parser: CommandParser) -> None:
    add = parser.add_argument
    add("--state", action="append", choices=states.ALL, help="only in this state; may be repeated")
    add("--type", metavar="TYPE", help="only of this job type")
    add("--queue", metavar="QUEUE", help="only of this queue")
    add("--user", metavar="NAME", help="only those that this user created")
    add("--tag", action="append", metavar="TAG", help="only with this tag; may be repeated")
    add("--arg", action="append", type=pair, metavar="NAME=VALUE", help="only with this argument, by name or position")
    add("--search", metavar="TEXT", help="only what this search finds, in the language of the admin's search box")
    add("--metadata", action="append", type=pair, metavar="KEY=VALUE", help="only with this in its metadata")


def given(options: dict[str, Any]) -> bool:
    """Whether any of these options was given."""
    return any(options[name] for name in NAMES)


def chosen(options: dict[str, Any]) -> QuerySet[Job]:
    """The jobs that the options choose, newest first."""
    try:
        return find_jobs(" ".join([*_terms(options), options["search"] or ""]))
    except BadSearch as error:
        raise Misused(f"--search: {error}") from error


def _terms(options: dict[str, Any]) -> Iterator[str]:
    """The options in the language of searches."""
    yield from (f"{name}:{quoted(options[name])}" for name in ("type", "queue", "user") if options[name])
    yield from (f"tag:{quoted(tag)}" for tag in options["tag"] or ())
    if options["state"]:
        yield f"state:{','.join(options['state'])}"
    for field, pairs in (("args", options["arg"]), ("metadata", options["metadata"])):
        yield from (f"{field}.{quoted(key)}:{written(text)}" for key, text in pairs or ())
