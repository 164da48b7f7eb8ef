"""A plug-in's own configuration: values of settings and files as the dataclass asks for them.

What is wrong is told by the field and what it must be. The value is not told: it may be a secret.
"""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from ..exceptions import InvalidPlugin

C = TypeVar("C")


def configured(make: Callable[..., C], values: Mapping[str, Any], where: str) -> C:
    """What `make` makes of the values. Raises InvalidPlugin naming the field, found at `where`."""
    if isinstance(make, type) and is_dataclass(make):
        _check(make, values, where)
    try:
        return make(**values)
    except (TypeError, ValueError) as error:
        raise InvalidPlugin(where, str(error)) from error


def from_file(path: Path) -> dict[str, Any]:
    """The values of a TOML file; none where there is no file. Raises InvalidPlugin, which names it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidPlugin(str(path), f"cannot be read: {error}") from error


def _check(make: type, values: Mapping[str, Any], where: str) -> None:
    known = {field.name: field for field in fields(make) if field.init}
    for name in values:
        if name not in known:
            close = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known) or 'nothing'}"
            raise InvalidPlugin(f"{where}[{name!r}]", f"is no field of its configuration; {hint}")
    hints = typing.get_type_hints(make)
    for name, field in known.items():
        wanted = getattr(hints[name], "__name__", "") if isinstance(hints[name], type) else str(hints[name])
        if name in values and not _fits(values[name], hints[name]):
            raise InvalidPlugin(f"{where}[{name!r}]", f"is a {type(values[name]).__name__}; it must be {wanted}")
        if name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise InvalidPlugin(f"{where}[{name!r}]", f"is missing; it must be {wanted}")


def _fits(value: Any, wanted: Any) -> bool:
    """Whether a value is of a type; True for what is no type that can be asked."""
    origin, of = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, choice) for choice in of)
    if origin is typing.Literal:
        return value in of
    if origin is not None:
        return _fits(value, origin) and (origin is not list or all(_fits(item, of[0]) for item in value))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return type(value) is int
    return isinstance(value, wanted) if isinstance(wanted, type) else True
