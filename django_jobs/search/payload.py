"""Conditions on what jobs carry as JSON: arguments, metadata, tags."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Exists, OuterRef, Q, TextField
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from ..conf import settings
from ..masking import hidden_anywhere
from ..models import Metadata
from ..registry import registry
from .language import Value

Aliases = dict[str, Any]
FURTHEST = 2**31 - 1


def reads_as(name: str, value: Value) -> Q:
    """The condition that a JSON value is this text, or the number, boolean or null that it stands for.

    An asterisk at the beginning or the end stands for any text; in quotation marks nothing stands for anything else.
    """
    if value.quoted:
        return Q(**{name: value.text})
    if "*" in value.text:
        return like(name, value.text) & ~_holds_others(name)
    wanted = Q(**{name: value.text})
    try:
        found = json.loads(value.text)
    except (ValueError, RecursionError):
        return wanted
    if isinstance(found, dict | list | str) or (isinstance(found, float) and not math.isfinite(found)):
        return wanted
    return wanted | Q(**{name: found})


def _holds_others(name: str) -> Q:
    """The condition that the value reads like an object, or a list of some: what has a hidden name may be in there."""
    begins = [Q(**{f"{name}__startswith": sign}) for sign in ("{", "[")]
    return Q(*begins, _connector=Q.OR) & Q(**{f"{name}__icontains": "{"})


def like(column: str, pattern: str) -> Q:
    """The condition that a text begins, ends, or goes on as the asterisks say."""
    kinds = {(False, True): "istartswith", (True, False): "iendswith", (True, True): "icontains"}
    kind = kinds[pattern.startswith("*"), pattern.endswith("*")]
    return Q(**{f"{column}__{kind}": pattern.strip("*")})


def argument(path: list[str], values: Iterable[Value], prefix: str) -> tuple[Q, Aliases]:
    """The argument of that name, given by keyword or at the place where a type that we know has it; or at a number."""
    name, *inner = path
    aliases: Aliases = {}
    if name.isdecimal():
        aliases[f"{prefix}_at"] = _deep("args", [str(int(name)), *inner])
        return _any(f"{prefix}_at", values) & ~Q(job_type__in=_hiding(int(name))), aliases
    values = list(values)
    aliases[f"{prefix}_kw"] = _deep("kwargs", path)
    found = _any(f"{prefix}_kw", values)
    for place, types in _places(name).items():
        aliases[f"{prefix}_{place}"] = _deep("args", [str(place), *inner])
        found |= Q(job_type__in=types) & _any(f"{prefix}_{place}", values)
    return found, aliases


def keyword(path: list[str], values: Iterable[Value], prefix: str) -> tuple[Q, Aliases]:
    return _any(f"{prefix}_kw", values), {f"{prefix}_kw": _deep("kwargs", path)}


def metadata(path: list[str], values: Iterable[Value]) -> Q:
    """The job's metadata has one of the values there."""
    rows = Metadata.objects.using(settings.DATABASE).filter(pk=OuterRef("pk")).alias(found=_deep("data", path))
    return Q(Exists(rows.filter(_any("found", values))))


def tags(names: Iterable[str], prefix: str) -> tuple[Q, Aliases]:
    """The job carries one of the tags. Databases keep JSON's text in either form."""
    texts = {text for name in names for text in (json.dumps(name), json.dumps(name, ensure_ascii=False))}
    found = Q(*[Q(**{f"{prefix}_tags__contains": text}) for text in sorted(texts)], _connector=Q.OR)
    return found, {f"{prefix}_tags": Cast("tags", TextField())}


def _any(name: str, values: Iterable[Value]) -> Q:
    return Q(*[reads_as(name, value) for value in values], _connector=Q.OR)


def _deep(column: str, path: list[str]) -> Any:
    found: Any = column
    for key in path:
        found = KeyTransform(_reachable(key), found)
    return found


def _reachable(key: str) -> str:
    """PostgreSQL takes no greater number for a place in a list, SQLite none below 0; nothing is there anyway."""
    try:
        return key if 0 <= int(key) <= FURTHEST else str(FURTHEST)
    except ValueError:
        return key


def _hiding(place: int) -> list[str]:
    """The types whose parameter at that place is shown to nobody."""
    named = ((type_name, list(registry.get(type_name).signature.parameters)) for type_name in registry.names())
    return [type_name for type_name, names in named if place < len(names) and hidden_anywhere(names[place])]


def _places(name: str) -> dict[int, list[str]]:
    """At which place the types that are registered here have the parameter."""
    found: dict[int, list[str]] = defaultdict(list)
    for type_name, place in _positions(name):
        found[place].append(type_name)
    return found


def _positions(name: str) -> Iterator[tuple[str, int]]:
    for type_name in registry.names():
        parameters = list(registry.get(type_name).signature.parameters.values())
        for place, parameter in enumerate(parameters):
            if parameter.name == name and parameter.kind in (
                parameter.POSITIONAL_ONLY,
                parameter.POSITIONAL_OR_KEYWORD,
            ):
                yield type_name, place
