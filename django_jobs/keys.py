"""Keys of calls, from their arguments: what makes a job unique, and what it may not share with others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .exceptions import InvalidJob
from .registry import JobType

LONGEST = 200
Template = str | Callable[..., Any]


def checked_key(value: Any, field: str) -> str:
    """A key that a caller gave. Raises InvalidJob for what is no text of 1 to 200 characters."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise InvalidJob(field, f"is {value!r:.100}; a key is a text of 1 to {LONGEST} printable characters")
    return value


def rendered(template: Template, job_type: JobType, args: Sequence[Any], kwargs: Mapping[str, Any], field: str) -> str:
    """The key that a template, or a function of the arguments, makes of a call's JSON values; "" where it makes None.

    Raises InvalidJob naming `field`.
    """
    try:
        made = template(*args, **kwargs) if callable(template) else _formatted(template, job_type, args, kwargs)
    except Exception as error:
        raise InvalidJob(field, f"no key can be made of the arguments: {type(error).__name__}: {error}") from error
    return "" if made is None else checked_key(str(made), field)


def _formatted(template: str, job_type: JobType, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    return template.format(**arguments(job_type, args, kwargs))


def of_arguments(job_type: JobType, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    """The same text for calls with the same arguments, however they were written."""
    text = json.dumps(arguments(job_type, args, kwargs), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return text if len(text) <= LONGEST else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def arguments(job_type: JobType, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name, defaults included. Raises TypeError where they do not fit."""
    bound = job_type.signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def digest(*parts: str, length: int = 64) -> str:
    """What stands for a text of any length and alphabet in an index: some databases take "A" for "a"."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:length]
