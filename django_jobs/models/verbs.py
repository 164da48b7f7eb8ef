"""How the models reach the verbs, which stand on higher floors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Verbs:
    """The slot through which the models reach them. `apps.ready()` fills it."""

    client: Callable[[str], Callable[..., Any]] | None = None


def verb_of(name: str) -> Callable[..., Any]:
    """The function behind a verb of the models."""
    if Verbs.client is None:
        raise RuntimeError("django_jobs is not in INSTALLED_APPS, or the apps are not loaded yet")
    return Verbs.client(name)
