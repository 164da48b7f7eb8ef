"""What came over a broker, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ...exceptions import InvalidEvent

LONGEST = 255
"""Characters of an event's id, and of its type."""


@dataclass(frozen=True)
class Event:
    """Something that happened elsewhere. `id` is the same each time it is sent; `data` is what it tells, as JSON."""

    id: str
    type: str
    data: Any
    source: str = ""
    """Who tells it. Ids need to be unique for each source only."""
    headers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """By which a repetition is known."""
        return sha256(json.dumps([self.source, self.id]).encode()).hexdigest()


def read(body: bytes, properties: Mapping[str, Any]) -> Event:
    """The event of a message. Raises InvalidEvent, naming the field.

    A body with ``type`` and ``data`` is an envelope, as of CloudEvents: ``id``, ``type``, ``source``, ``data``. Any
    other body is the data, and `properties` tell ``id``, ``type``, ``source``.
    """
    value = _json(body)
    facts: Mapping[str, Any] = properties
    data = value
    if isinstance(value, dict) and {"type", "data"} <= value.keys():
        facts, data = value, value["data"]
    source = facts.get("source") or ""
    if not isinstance(source, str) or len(source) > LONGEST:
        raise InvalidEvent("source", f"is {source!r:.100}; give a text of at most {LONGEST} characters")
    return Event(_text(facts, "id"), _text(facts, "type"), data, source, properties.get("headers") or {})


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("body", f"is not JSON: {error}") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise InvalidEvent(name, f"is {value!r:.100}; give a text of 1 to {LONGEST} characters")
    return value
