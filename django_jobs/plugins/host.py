"""The host of plug-ins: takes in those that are found, and keeps what is wrong with the others."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from traceback import format_exception_only
from types import ModuleType
from typing import Any, Protocol

from ..conf import settings
from ..exceptions import DuplicateJobType, InvalidPlugin
from ..registry import registry
from .configuring import from_file
from .contract import Plugin
from .finding import Found, in_folder, in_packages

logger = logging.getLogger("django_jobs.plugins")

CORRECT = "Correct it and start anew; the other plug-ins work. DJANGO_JOBS['PLUGINS'] names those to load."


class Registry(Protocol):
    """What is registered by name, such as the job types."""

    def names(self) -> list[str]: ...

    def module_of(self, name: str) -> str:
        """The module of the function that is registered by that name."""

    def remove(self, name: str) -> None: ...


REGISTRIES: list[Registry] = [registry]
"""From these a broken plug-in is taken back. Whoever has another registry adds it."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a plug-in or with what is set for plug-ins, and what to do about it."""

    subject: str
    what: str
    remedy: str


class Host:
    """The plug-ins of this process, by name, with the names of the job types that each has brought."""

    def __init__(self) -> None:
        self.plugins: dict[str, list[str]] = {}
        self.problems: list[Problem] = []
        self._sources: dict[str, str] = {}

    def load(self) -> None:
        """Find plug-ins and take them in. Never raises: what is broken becomes a problem, and the others go on."""
        for found in self._found():
            self._take(found)
        self._look_for_slips()

    def _found(self) -> Iterator[Found]:
        wanted = None if settings.PLUGINS is None else set(map(str, _setting("PLUGINS", list)))
        packages = in_packages() if wanted is None or wanted else []
        names = {found.name for found in packages}
        for name in sorted(wanted or ()):
            if name not in names:
                close = get_close_matches(name, names, n=1)
                hint = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(names)) or 'none'}."
                remedy = f"{hint} Or install the package, or take the name away."
                self._note(f"DJANGO_JOBS['PLUGINS'] names {name!r}", "and no installed package announces it", remedy)
        yield from (found for found in packages if wanted is None or found.name in wanted)
        for folder in _setting("PLUGIN_PATHS", list):
            try:
                yield from in_folder(Path(folder))
            except (OSError, TypeError) as error:
                remedy = "Make the folder readable, or take it out of DJANGO_JOBS['PLUGIN_PATHS']."
                self._note(f"Plug-in folder {folder}", f"cannot be read: {error}", remedy)

    def _look_for_slips(self) -> None:
        """Values for a plug-in that is not there are no problem, since another host may have it; a misspelt name is."""
        for name in set(map(str, _setting("PLUGIN_CONFIG", dict))) - set(self._sources):
            for close in get_close_matches(name, self._sources, n=1, cutoff=0.75):
                subject = f"DJANGO_JOBS['PLUGIN_CONFIG'][{name!r}]"
                self._note(subject, "is for no plug-in that is there", f"Did you mean {close!r}?")

    def _take(self, found: Found) -> None:
        if found.name in self._sources:
            both = f"{self._sources[found.name]} and by {found.source}"
            self._note(
                f"Plug-in {found.name}", f"its name is used twice: by {both}", "Rename the second, or remove it."
            )
            return
        self._sources[found.name] = found.source
        types, modules = set(registry.names()), set(sys.modules)
        before = {id(one): set(one.names()) for one in REGISTRIES}
        try:
            _hand(found)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (a module that is imported may raise anything)
            _forget(before, modules)
            self._refuse(found, error)
        else:
            self.plugins[found.name] = sorted(set(registry.names()) - types)

    def _refuse(self, found: Found, error: BaseException) -> None:
        known = isinstance(error, InvalidPlugin | DuplicateJobType)
        what = str(error) if known else format_exception_only(error)[-1].strip()
        if isinstance(error, DuplicateJobType):
            what += "".join(f". The first came with the plug-in {name}" for name in self._bringing(error.name))
        self._note(f"Plug-in {found.name}", f"({found.source}) cannot be used: {what}", CORRECT)
        logger.error("The plug-in %s cannot be used: %s", found.name, what, exc_info=None if known else error)

    def _bringing(self, job_type: str) -> Iterable[str]:
        return [name for name, types in self.plugins.items() if job_type in types]

    def _note(self, subject: str, what: str, remedy: str) -> None:
        self.problems.append(Problem(subject, what, remedy))


def _setting(key: str, kind: type) -> Any:
    """The setting, or an empty one where it is of another kind, which a system check tells."""
    value = getattr(settings, key)
    return value if isinstance(value, kind) else kind()


def _hand(found: Found) -> None:
    """Import it, and give it what is its own and what is shared. Raises InvalidPlugin, or whatever it raises."""
    thing = found.load()
    plugin = getattr(thing, "plugin", None) if isinstance(thing, ModuleType) else thing
    values = {**_values_beside(found), **_values_set(found.name)}
    if isinstance(plugin, Plugin):
        plugin.hand(found.name, values, _setting("SHARED_CONFIG", dict))
    elif plugin is not None:
        raise InvalidPlugin("plugin", f"is a {type(plugin).__name__}; it must be a django_jobs.Plugin, or not be there")
    elif values:
        raise InvalidPlugin(
            "plugin", "is missing: values are set for it, and it has no `plugin = Plugin(…)` to take them"
        )


def _values_beside(found: Found) -> dict[str, Any]:
    """Those of the file that lies beside its module, or in its package."""
    file = getattr(sys.modules.get(found.module), "__file__", None)
    return from_file(Path(file).with_name(f"{found.name}.toml")) if file else {}


def _values_set(name: str) -> dict[str, Any]:
    given = _setting("PLUGIN_CONFIG", dict).get(name, {})
    if not isinstance(given, dict):
        raise InvalidPlugin(
            f"DJANGO_JOBS['PLUGIN_CONFIG'][{name!r}]", f"is a {type(given).__name__}; it must be a dict"
        )
    return given


def _forget(before: Mapping[int, set[str]], modules: set[str]) -> None:
    """Take back what a broken plug-in registered; modules that were not there before are imported anew by others.

    A registry that is not in `before` came with the plug-in.
    """
    for one in REGISTRIES:
        taken = {name: one.module_of(name) for name in set(one.names()) - before.get(id(one), set())}
        for name, module in taken.items():
            one.remove(name)
            if module not in modules:
                sys.modules.pop(module, None)


host = Host()
