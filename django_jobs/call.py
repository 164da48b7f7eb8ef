"""A call as JSON and back: arguments are checked where the call is made, and come back by annotation where it runs."""

from __future__ import annotations

import enum
import json
import math
import types
import typing
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar

from django.db.models import Model
from django.utils.dateparse import parse_date, parse_datetime

from .conf import settings
from .exceptions import InvalidArgument, InvalidJob, PayloadTooLarge
from .registry import JobType

_as_json = json.JSONEncoder(ensure_ascii=False).encode
_result_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

One = TypeVar("One")
Made = TypeVar("Made")

PLAIN = (str, int, bool, type(None))
ACCEPTED = (
    "accepted are text, numbers, booleans, None, lists, dicts with text keys, "
    "UUID, datetime, date, Decimal, Enum and saved model instances"
)


def of_each(things: Iterable[One], make: Callable[[One], Made]) -> list[Made]:
    """What `make` makes of each; an InvalidJob that it raises says of which one."""
    made = []
    for at, one in enumerate(things):
        try:
            made.append(make(one))
        except InvalidJob as error:
            error.at = at
            raise
    return made


def encode_arguments(
    job_type: JobType | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments as JSON values.

    `job_type` is None where the code is not at hand; the signature is then checked when the job runs.
    Raises InvalidArgument naming the argument, or PayloadTooLarge.
    """
    if job_type is not None:
        _fit_signature(job_type, len(args), tuple(kwargs))
    plain_args = [_encode(value, f"args[{index}]") for index, value in enumerate(args)]
    plain_kwargs = {name: _encode(value, name) for name, value in kwargs.items()}
    _check_size(plain_args, plain_kwargs)
    return plain_args, plain_kwargs


@lru_cache(maxsize=1024)
def _fit_signature(job_type: JobType, count: int, names: tuple[str, ...]) -> None:
    """Whether the function takes so many positional arguments, and keyword arguments of these names."""
    try:
        job_type.signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError as error:
        call = f"{job_type.name}{job_type.signature}".replace("'", "")  # annotations of another time are text
        raise InvalidArgument("args", f"{call} cannot be called so: {error}") from None


def _check_size(args: list[Any], kwargs: dict[str, Any]) -> None:
    size = len(_as_json([args, kwargs]).encode())
    if size > settings.MAX_PAYLOAD:
        raise PayloadTooLarge(size, settings.MAX_PAYLOAD)


def _encode(value: Any, where: str, depth: int = 0) -> Any:
    kind = type(value)
    if kind is str:
        return _checked_text(value, where)
    if kind in PLAIN:
        return value
    if depth > 50:
        raise InvalidArgument(where, "is nested more than 50 levels deep (or contains itself)")
    if kind is list or kind is tuple:
        return [_encode(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {_key(key, where): _encode(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    return _encode_special(value, where)


def encode_value(value: Any, where: str) -> Any:
    """One value as JSON has it. Raises InvalidArgument, which names `where`."""
    return _encode(value, where)


def plain(value: Any, where: str) -> Any:
    """The value as JSON has it. Raises InvalidArgument naming `where`."""
    return _encode(value, where)


def to_json(value: Any, where: str) -> str:
    """The value as JSON text. Raises InvalidArgument naming `where`."""
    return json.dumps(_encode(value, where), ensure_ascii=False, allow_nan=False)


def _key(key: Any, where: str) -> str:
    if not isinstance(key, str):
        raise InvalidArgument(where, f"has the key {key!r}; keys of a JSON object are text")
    return _checked_text(key, where)


def _checked_text(value: str, where: str) -> str:
    if "\x00" in value:
        raise InvalidArgument(where, "contains a NUL character, which databases cannot store")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(where, "contains half a surrogate pair, which is not valid text") from None
    return value


def _encode_special(value: Any, where: str) -> Any:
    match value:
        case enum.Enum():
            return _encode(value.value, where, 49)
        case float():
            return _finite(value, where)
        case uuid.UUID() | Decimal():
            return str(value)
        case datetime() | date():
            return value.isoformat()
        case Model():
            return _encode(_key_of(value, where), where, 49)
        case str() | int() | list() | tuple():  # a subclass of what JSON knows
            plain: Any = next(kind for kind in (str, int, list, tuple) if isinstance(value, kind))
            return _encode(plain(value), where, 49)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise InvalidArgument(where, f"is a {kind}, which JSON cannot hold; {ACCEPTED}")


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise InvalidArgument(where, f"is {value}; JSON has no such number")
    return float(value)


def _key_of(value: Model, where: str) -> Any:
    if value.pk is None:
        raise InvalidArgument(where, f"is a {type(value).__name__} that was not saved, so it has no primary key")
    return value.pk


def decode_arguments(job_type: JobType, args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The stored arguments as the function's annotations ask for them.

    Raises InvalidArgument naming the argument that does not fit its annotation.
    """
    if _is_plain(job_type):
        return args, kwargs
    hints = job_type.annotations
    names = positional_names(job_type, len(args))
    return (
        [
            _decode(value, hints.get(name), f"args[{at}]")
            for at, (name, value) in enumerate(zip(names, args, strict=True))
        ],
        {name: _decode(value, hints.get(name), name) for name, value in kwargs.items()},
    )


@lru_cache(maxsize=1024)
def _is_plain(job_type: JobType) -> bool:
    """Whether all arguments come back as JSON has them."""
    return all(hint in (*PLAIN, float, Any) for hint in job_type.annotations.values())


def positional_names(job_type: JobType, count: int) -> list[str]:
    """Names of the parameters that so many positional arguments fill; an empty text for each that is too many."""
    names: list[str] = []
    for parameter in job_type.signature.parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [parameter.name] * (count - len(names))
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(parameter.name)
    return (names + [""] * count)[:count]


def _decode(value: Any, wanted: Any, where: str) -> Any:
    if wanted is None or value is None or wanted in PLAIN or wanted is Any:
        return value
    origin = typing.get_origin(wanted)
    try:
        if origin is None:
            return _decode_plain(value, wanted) if isinstance(wanted, type) else value
        return _decode_generic(value, origin, typing.get_args(wanted), where)
    except InvalidArgument:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InvalidArgument(where, f"{value!r} is no {getattr(wanted, '__name__', wanted)}: {error}") from error


def _decode_plain(value: Any, wanted: type) -> Any:
    if isinstance(value, wanted) and not issubclass(wanted, enum.Enum):
        return value
    if issubclass(wanted, Model):
        return wanted._default_manager.get(pk=value)
    if issubclass(wanted, datetime):
        return _required(parse_datetime(value))
    if issubclass(wanted, date):
        return _required(parse_date(value))
    if issubclass(wanted, uuid.UUID | Decimal | enum.Enum):
        return wanted(value)
    if wanted in (tuple, set, frozenset):
        return wanted(value)
    return value


def _required(value: Any) -> Any:
    if value is None:
        raise ValueError("not in ISO 8601 form")
    return value


def _decode_generic(value: Any, origin: Any, of: tuple[Any, ...], where: str) -> Any:
    if origin in (typing.Union, types.UnionType):
        return _decode_union(value, of, where)
    if origin is typing.Annotated:
        return _decode(value, of[0], where)
    if origin in (list, set, frozenset) and isinstance(value, list):
        return origin(_decode(item, of[0], f"{where}[{index}]") for index, item in enumerate(value))
    if origin is tuple and isinstance(value, list):
        kinds = of[:1] * len(value) if of[1:] == (...,) else of
        return tuple(
            _decode(item, kind, f"{where}[{at}]") for at, (item, kind) in enumerate(zip(value, kinds, strict=True))
        )
    if isinstance(value, dict) and len(of) == 2:
        return {key: _decode(item, of[1], f"{where}.{key}") for key, item in value.items()}
    return value


def _decode_union(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if any(isinstance(choice, type) and type(value) is choice for choice in choices):
        return value
    for choice in choices:
        if choice is not type(None):
            try:
                return _decode(value, choice, where)
            except InvalidArgument:
                continue
    return value


def encode_result(value: Any) -> tuple[str | None, bool]:
    """A result as JSON text (None for no result), and whether it had to be stored as plain text instead.

    A result never fails a job that did its work: what JSON or the database cannot hold is stored as text.
    """
    if value is None:
        return None, False
    try:
        text = _result_as_json(_encode(value, "result"))
    except Exception:  # noqa: BLE001  (a container of the job's own may raise anything when it is read)
        return json.dumps(clean_text(_text_of(value))[: settings.MAX_PAYLOAD // 4]), True
    if len(text) > settings.MAX_PAYLOAD:
        return json.dumps(text[: settings.MAX_PAYLOAD // 4] + "…"), True
    return text, False


def _text_of(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  (a broken __str__ must not fail the job)
        return f"<{type(value).__qualname__}>"


def clean_text(text: str) -> str:
    """Text that every database can store: without NUL, lone surrogates replaced."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def as_python(job_type: str, args: list[Any], kwargs: dict[str, Any]) -> str:
    """The call as it would be written in Python, for people."""
    parts = [repr(value) for value in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return f"{job_type}({', '.join(parts)})"
