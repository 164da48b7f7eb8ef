"""Who does what by the REST API, for whoever writes it down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework.request import Request

from .. import signals
from ..transactions import atomic

Tell = Callable[..., None]


def told(request: Request, act: str, on: Any, **facts: Any) -> None:
    """Send the signal `acted`."""
    signals.acted.send(type(on), by=request.user, act=act, on=on, facts=facts)


@contextmanager
def acting(request: Request) -> Iterator[Tell]:
    """A transaction for an act, and what tells of it in there: neither stays without the other."""
    with atomic():
        yield lambda act, on, **facts: told(request, act, on, **facts)
