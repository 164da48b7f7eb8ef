"""Where plug-ins are found: entry points of installed packages, then files and packages in folders."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

GROUP = "django_jobs.plugins"
"""Group of the entry points by which packages announce their plug-ins."""
HOME = "django_jobs_plugins"
"""Package of the modules from folders: whatever a file is called, it hides no module of that name."""


@dataclass(frozen=True)
class Found:
    """A plug-in that is there: its name, where it comes from in words, its module, and how that is imported."""

    name: str
    source: str
    module: str
    load: Callable[[], Any]


def in_packages() -> list[Found]:
    """Those of installed packages, by name."""
    return [_announced(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]


def _announced(point: EntryPoint) -> Found:
    package = f"package {point.dist.name} {point.dist.version}" if point.dist else f"entry point {point.value}"
    return Found(point.name, package, point.value.partition(":")[0].strip(), point.load)


def in_folder(folder: Path) -> Iterator[Found]:
    """The Python files and packages in it, by name; what begins with an underscore or a dot is none. Raises OSError."""
    for path in sorted(folder.resolve(strict=True).iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and path.name[0] not in "_." and file.is_file():
            yield _lying(path.stem, file)


def _lying(name: str, file: Path) -> Found:
    module = f"{HOME}.{name}"
    return Found(name, f"file {file}", module, lambda: _imported(module, file))


def _imported(name: str, file: Path) -> ModuleType:
    """The module, known by its name from before it runs, as Python does it; forgotten again if it raises."""
    if HOME not in sys.modules:
        sys.modules[HOME] = module_from_spec(ModuleSpec(HOME, None, is_package=True))
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module
