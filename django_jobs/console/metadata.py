"""What a job keeps about itself: a dictionary of JSON values that outlives its runs, as long as its row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from ..call import encode_value
from ..conf import settings
from ..exceptions import InvalidJob
from ..models import Metadata

LARGEST = 16 * 1024
"""Bytes of a job's metadata as JSON."""


class MetadataDict(MutableMapping[str, Any]):
    """Read from the database when first used. What is assigned is written soon, and before the run's end is recorded.

    Values are what a job's arguments may be; a list or dictionary that is changed in place must be assigned again.
    """

    def __init__(self, job_id: int, stir: Callable[[], None]) -> None:
        self.job_id = job_id
        self.unwritten = False
        self._stir = stir
        self._values: dict[str, Any] | None = None

    def __getitem__(self, key: str) -> Any:
        return self.values_now()[key]

    def __setitem__(self, key: str, value: Any) -> None:
        """Raises InvalidJob where the key is no text of 1 to 100 characters, the value no JSON, or all is too large."""
        if not isinstance(key, str) or not 0 < len(key) <= 100:
            raise InvalidJob("metadata", f"has the key {key!r:.150}; keys are texts of 1 to 100 characters")
        name = encode_value(key, "metadata")
        self._become({**self.values_now(), name: encode_value(value, f"metadata[{key!r}]")})

    def __delitem__(self, key: str) -> None:
        values = dict(self.values_now())
        del values[key]
        self._become(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_now())

    def __len__(self) -> int:
        return len(self.values_now())

    def __repr__(self) -> str:
        return f"<metadata {self.values_now()!r}>"

    def values_now(self) -> dict[str, Any]:
        """All of it."""
        if self._values is None:
            self._values = _read(self.job_id)
        return self._values

    def _become(self, values: dict[str, Any]) -> None:
        size = len(json.dumps(values, ensure_ascii=False).encode())
        if size > LARGEST:
            raise InvalidJob("metadata", f"takes {size:,} bytes as JSON, the limit is {LARGEST:,}; store less")
        self._values = values
        self.unwritten = True
        self._stir()


def _read(job_id: int) -> dict[str, Any]:
    """In async code by another thread: Django refuses its database to the thread of an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _stored(job_id)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(_stored_aside, job_id).result()


def _stored_aside(job_id: int) -> dict[str, Any]:
    try:
        return _stored(job_id)
    finally:
        connections.close_all()


def _stored(job_id: int) -> dict[str, Any]:
    rows = Metadata.objects.using(settings.DATABASE).filter(pk=job_id)
    found: dict[str, Any] = rows.values_list("data", flat=True).first() or {}
    return found
