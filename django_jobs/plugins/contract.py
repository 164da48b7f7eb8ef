"""What a plug-in is given by its host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from ..exceptions import InvalidPlugin
from .configuring import configured

C = TypeVar("C")


class Plugin(Generic[C]):
    """The host's hand: a plug-in's module has one as ``plugin``, and its jobs ask it for their configuration.

    config: makes the plug-in's own configuration of the values that are set for it: a dataclass, whose fields are
    checked, or ``dict``, which takes anything.
    needs: keys that the host's ``SHARED_CONFIG`` must have.
    """

    def __init__(self, config: Callable[..., C], *, needs: Iterable[str] = ()) -> None:
        self.name = ""
        self.needs = tuple(needs)
        self._make = config
        self._given: tuple[C, Mapping[str, Any]] | None = None

    @property
    def config(self) -> C:
        """The plug-in's own configuration."""
        return self._handed[0]

    @property
    def shared(self) -> Mapping[str, Any]:
        """The configuration that the host shares with all plug-ins: addresses of brokers, say. A copy, read-only."""
        return self._handed[1]

    def hand(self, name: str, values: Mapping[str, Any], shared: Mapping[str, Any]) -> None:
        """Give it its name, the values of its configuration and what is shared; the host does, and so may a test.

        Raises InvalidPlugin, which names the field.
        """
        if self.name not in {"", name}:
            raise InvalidPlugin("plugin", f"is that of two plug-ins: {self.name!r} and {name!r}; give each its own")
        if missing := [key for key in self.needs if key not in shared]:
            there = ", ".join(map(repr, shared)) or "nothing"
            raise InvalidPlugin(
                "DJANGO_JOBS['SHARED_CONFIG']", f"has no {missing[0]!r}, which it needs; it has {there}"
            )
        made = configured(self._make, values, f"DJANGO_JOBS['PLUGIN_CONFIG'][{name!r}]")
        self.name, self._given = name, (made, MappingProxyType(deepcopy(dict(shared))))

    @property
    def _handed(self) -> tuple[C, Mapping[str, Any]]:
        if self._given is None:
            raise RuntimeError(
                "The host hands a plug-in its configuration after the import of its module: ask in a job"
            )
        return self._given
