"""Values on the command line: each is read here, and refused in words that say what was expected."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, make_aware

LARGEST = 2**31 - 1


def whole(what: str, least: int = 0) -> Callable[[str], int]:
    """Reads a whole number of `what`."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else -1
        if not least <= number <= LARGEST:
            raise ArgumentTypeError(f"{text!r} is no {what}: give a whole number of at least {least}")
        return number

    return read


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of seconds: give one of at least 0")
    return value


def interval(text: str) -> float:
    value = seconds(text)
    if value < 0.01:
        raise ArgumentTypeError(f"{text!r} is no interval: give seconds above 0")
    return value


def megabytes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number of megabytes: give one above 0")
    return value


def port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else -1
    if not 0 <= number < 65536:
        raise ArgumentTypeError(f"{text!r} is no port: give a number from 0 to 65535")
    return number


def json_value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ArgumentTypeError(f"{text} is not JSON; text goes in double quotes: '{json.dumps(text)}'") from None


def json_object(text: str) -> dict[str, Any]:
    value = json_value(text)
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"{text} is not a JSON object such as '{{\"name\": 1}}'")
    return value


def moment(text: str) -> datetime:
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None:
        raise ArgumentTypeError(f"{text} is not a time in ISO 8601 form such as 2026-12-31T23:59:00+01:00")
    return make_aware(at) if is_naive(at) else at


def pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise ArgumentTypeError(f"{text!r} is not of the form KEY=VALUE")
    return key, value
