"""What is wrong, and what to do: every finding names a remedy. `jobs doctor` and the dashboard show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from .. import monitoring
from .finding import Finding, Look
from .load import arguments, capacity, slow
from .site import clocks, configuration, dashboard, database, plugged_in, redis, retries
from .work import bells, failures, leader, recurring, servers, stuck, unknown_types, waiting

__all__ = [
    "AT_A_GLANCE",
    "LOOKS",
    "Finding",
    "Look",
    "arguments",
    "bells",
    "capacity",
    "clocks",
    "configuration",
    "dashboard",
    "database",
    "examine",
    "failures",
    "leader",
    "look_at",
    "plugged_in",
    "recurring",
    "redis",
    "retries",
    "servers",
    "slow",
    "stuck",
    "unknown_types",
    "waiting",
]

MISCONFIGURED = (ImproperlyConfigured, AttributeError, KeyError, OSError, TypeError, ValueError)
"""What a broken setting raises; it must not keep the other findings from being told."""

LOOKS: tuple[Look, ...] = (
    configuration,
    plugged_in,
    redis,
    servers,
    leader,
    waiting,
    bells,
    capacity,
    unknown_types,
    stuck,
    failures,
    arguments,
    slow,
    recurring,
    retries,
    clocks,
    dashboard,
)

AT_A_GLANCE: tuple[Look, ...] = (redis, servers, leader, waiting, bells, unknown_types, stuck, failures, recurring)
"""What may change from one moment to the next."""


def examine(*, leave_out: Collection[Look] = ()) -> list[Finding]:
    """Look at everything but `leave_out`. Without a database the rest cannot be told, so it comes first."""
    found = list(database())
    if any(finding.level == "error" for finding in found):
        return found
    with monitoring.snapshot():
        return found + look_at([look for look in LOOKS if look not in leave_out])


def look_at(looks: Iterable[Look]) -> list[Finding]:
    """What these find. One that fails is a finding, too."""
    found: list[Finding] = []
    for look in looks:
        try:
            found += look()
        except DatabaseError as error:
            found.append(Finding("error", look.__name__, f"could not be examined: {error}", "See the database's log."))
        except MISCONFIGURED as error:
            remedy = "Check the settings that it reads, RQ_QUEUES and DJANGO_JOBS."
            found.append(Finding("error", look.__name__, f"could not be examined: {error!r}", remedy))
    return found
