"""Recurring jobs that the code declares with `@recurring`, and how the database learns of them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import monitoring, schedules
from .conf import settings
from .exceptions import InvalidJob, JobsError
from .registry import JobType, registry

logger = logging.getLogger("django_jobs.schedules")


@dataclass(frozen=True)
class Declaration:
    """What `@recurring` says of a job type."""

    id: str
    job_type: JobType
    terms: dict[str, Any]


@dataclass
class Synced:
    """What became of the declarations: ids, and for the refused ones why."""

    stored: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    orphaned: list[str] = field(default_factory=list)


class Declarations:
    """The declarations of this process, by id."""

    def __init__(self) -> None:
        self._known: dict[str, Declaration] = {}

    def add(self, declaration: Declaration) -> None:
        """Raises InvalidJob when another function has declared that id."""
        known = self._known.get(declaration.id)
        if known is not None and _stands(known) and known.job_type.path != declaration.job_type.path:
            both = f"{known.job_type.path} and {declaration.job_type.path}"
            raise InvalidJob("id", f"{declaration.id!r} is declared twice: by {both}")
        self._known[declaration.id] = declaration

    def remove(self, id: str) -> None:
        self._known.pop(id, None)

    def ids(self) -> list[str]:
        return sorted(declaration.id for declaration in self)

    def __iter__(self) -> Iterator[Declaration]:
        return iter([declaration for declaration in self._known.values() if _stands(declaration)])


def _stands(declaration: Declaration) -> bool:
    """Whether its job type is still registered: that of a plug-in which turned out to be broken is not."""
    known = registry.find(declaration.job_type.name)
    return known is not None and known.path == declaration.job_type.path


declarations = Declarations()


def sync() -> Synced:
    """Store what the code of this process declares, and mark what it no longer does; one that is refused stops none."""
    outcome = Synced()
    for declaration in declarations:
        try:
            schedules.add_or_update(declaration.id, declaration.job_type, by_decorator=True, **declaration.terms)
            outcome.stored.append(declaration.id)
        except JobsError as error:
            logger.error("The recurring job %r cannot be stored: %s", declaration.id, error)
            outcome.refused[declaration.id] = str(error)
    outcome.orphaned = mark_orphans({settings.APPLICATION: set(declarations.ids())})
    return outcome


def watch_orphans() -> None:
    """The leader's look: declarations that no live server of their application has any more."""
    mark_orphans({})


def mark_orphans(declared: dict[str, set[str]]) -> list[str]:
    """Stop what no living code declares; applications of which nothing lives are left alone.

    What another application still declares is that one's from then on. `declared` are ids by application that are known
    besides those of the live servers.
    """
    known: dict[str, set[str]] = defaultdict(set, declared)
    for application, ids in monitoring.live_servers().values_list("application", "schedules"):
        known[application].update(ids or [])
    rows = schedules.rows().filter(by_decorator=True, orphaned_at=None, application__in=list(known))
    lost = []
    for pk, application in rows.values_list("pk", "application"):
        heirs = sorted(name for name, ids in known.items() if pk in ids)
        if heirs and application not in heirs:
            schedules.hand_over(pk, application, heirs[0])
        elif not heirs:
            lost.append(pk)
            schedules.orphan(pk)
    if lost:
        logger.warning("No code declares these recurring jobs any more, so they stopped: %s", ", ".join(lost))
    return lost
