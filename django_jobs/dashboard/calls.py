"""A job's call for people: as it would be written in Python, and its arguments one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..masking import Mask
from ..models import Job
from ..registry import JobType, registry
from .display import Text, clipped
from .objects import ObjectLink, Objects

WIDTH = 88
"""Characters of a line of code; a longer call has a line for each argument."""


@dataclass(frozen=True)
class Argument:
    """An argument by the name of its parameter, with its value as JSON and the rows that it names."""

    name: str
    text: Text
    kind: str = ""
    links: list[ObjectLink] = field(default_factory=list)


def written(job: Job, mask: Mask) -> Text:
    """The statement that enqueues it, with its import."""
    known = registry.find(job.job_type)
    return clipped(_of_function(known, job, mask) if known else _by_name(job, mask))


def _of_function(known: JobType, job: Job, mask: Mask) -> str:
    module, name = known.target.__module__, known.target.__qualname__
    options = _options(job, known.queue, known.priority)
    using = f".using({', '.join(_named(options))})" if options else ""
    arguments = [*map(repr, mask.args), *_named(mask.kwargs)]
    return f"from {module} import {name}\n\n{_broken(f'{name}{using}.enqueue', arguments)}"


def _by_name(job: Job, mask: Mask) -> str:
    """The code of the type is not at hand: other applications enqueue it by its name."""
    options = _named({"queue": job.queue} | _options(job, job.queue, 0))
    arguments = [repr(job.job_type), f"[({_tuple(mask.args)}, {mask.kwargs!r})]", f"Options({', '.join(options)})"]
    return f"from django_jobs.client import Options, enqueue\n\n{_broken('enqueue', arguments)}"


def _options(job: Job, queue: str, priority: int) -> dict[str, Any]:
    options: dict[str, Any] = {} if job.queue == queue else {"queue": job.queue}
    options |= {} if job.priority == priority else {"priority": job.priority}
    return options | ({"tags": job.tags} if job.tags else {})


def _named(values: dict[str, Any]) -> list[str]:
    return [f"{name}={value!r}" for name, value in values.items()]


def _tuple(values: list[Any]) -> str:
    return repr(tuple(values))


def _broken(name: str, arguments: list[str]) -> str:
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= WIDTH or not arguments:
        return line
    return "\n".join([f"{name}(", *(f"    {argument}," for argument in arguments), ")"])


def arguments(job: Job, mask: Mask, objects: Objects) -> list[Argument]:
    """The arguments in the order of the call, masked; what is masked links to nothing."""
    known = registry.find(job.job_type)
    hints = known.annotations if known else {}
    return [
        Argument(
            name,
            clipped(json.dumps(value, indent=2, ensure_ascii=False)),
            _kind(hints.get(parameter)),
            objects.named_by(parameter, value, hints.get(parameter)),
        )
        for name, parameter, value in _each(mask)
    ]


def _each(mask: Mask) -> Iterator[tuple[str, str, Any]]:
    """Label, parameter and value."""
    for at, (name, value) in enumerate(zip(mask.names, mask.args, strict=True)):
        repeated = not name or mask.names.count(name) > 1
        yield (f"{name or 'args'}[{at}]" if repeated else name), name, value
    for name, value in mask.kwargs.items():
        yield name, name, value


def _kind(hint: Any) -> str:
    if hint is None:
        return ""
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
