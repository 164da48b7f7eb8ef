"""What `demo --check` claims. To add a kind, write a function with `@claim` in any module of this package."""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from django_jobs.models import Job

BUDGET = 90.0
"""Seconds for all claims together; what is left of it is what a claim may wait."""
LONGEST = 20.0
"""Seconds that one wait may take."""


@dataclass(frozen=True)
class Claim:
    """A kind of job, what is to come of it, and the function that tries it and returns what came."""

    kind: str
    expected: str
    check: Callable[[], str]

    def outcome(self) -> str:
        try:
            return self.check()
        except Exception as error:  # noqa: BLE001  (whatever went wrong is what came of it)
            return f"{type(error).__name__}: {error}"


@dataclass
class Situation:
    """What the checks run in."""

    server: str = ""
    began: float = 0.0


situation = Situation(began=time.monotonic())
_claims: list[Claim] = []


def claim(kind: str, expected: str) -> Callable[[Callable[[], str]], Callable[[], str]]:
    """Register a check: it holds when the function returns exactly `expected`."""

    def add(check: Callable[[], str]) -> Callable[[], str]:
        _claims.append(Claim(kind, expected, check))
        return check

    return add


@cache
def claims() -> list[Claim]:
    """All claims, module by module in the order of their names."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return _claims


def patience() -> float:
    """Seconds that the next wait may take."""
    return max(0.1, min(LONGEST, BUDGET - (time.monotonic() - situation.began)))


def ended(job: Job) -> Job:
    """The job once it has ended."""
    return job.wait(timeout=patience())


def told(job: Job, result: Any = None) -> str:
    """How a job ended, with its result: "succeeded: 5"."""
    last = ended(job)
    value = last.result if result is None else result(last)
    return last.state if value is None else f"{last.state}: {value}"
