"""Retry: how often a failed job runs again, and when."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

Delay = float | timedelta
Backoff = Callable[[BaseException, int], "Delay | None"]
"""Given the exception and the number of the retry (from 1): the delay, or None to try no more."""


@dataclass(frozen=True)
class Retry:
    """A failed job is Scheduled again, up to `attempts` times after its first run.

    delays: seconds (or timedeltas) before each retry, the last one repeats; 0 runs at once.
    backoff: a function that decides instead; see `Backoff`.
    Without either, delays grow with the fourth power of the number, as Hangfire's do: 15 to 44 s before the first
    retry, about two hours before the tenth, four and a half hours in all.
    jitter: up to this fraction is added to each delay at random, so that jobs that failed together part; the growing
    delays have their own.
    only_on, except_on: exception classes, or their dotted names; subclasses match. Others fail at once.
    on_exceeded: "fail" leaves the job Failed, "delete" moves it to Deleted.

    Raises ValueError for what cannot be.
    """

    attempts: int = 10
    delays: Sequence[Delay] | None = None
    backoff: Backoff | None = None
    jitter: float = 0.0
    only_on: Iterable[type[BaseException] | str] = ()
    except_on: Iterable[type[BaseException] | str] = ()
    on_exceeded: Literal["fail", "delete"] = "fail"

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 0:
            raise ValueError(f"Retry(attempts={self.attempts!r}): give a whole number of at least 0")
        if self.delays is not None and self.backoff is not None:
            raise ValueError("Retry takes delays or backoff, not both")
        if self.delays is not None and (not self.delays or any(_seconds(delay) < 0 for delay in self.delays)):
            raise ValueError(f"Retry(delays={self.delays!r}): give at least one delay, none below 0")
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"Retry(jitter={self.jitter!r}): give a fraction from 0 to 1")
        if self.on_exceeded not in {"fail", "delete"}:
            raise ValueError(f'Retry(on_exceeded={self.on_exceeded!r}): give "fail" or "delete"')

    def covers(self, error: BaseException) -> bool:
        """Whether that exception is one to try again after."""
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__} | {
            kind.__qualname__ for kind in type(error).__mro__ if kind.__module__ == "builtins"
        }
        only, never = _names(self.only_on), _names(self.except_on)
        return not names & never and (not only or bool(names & only))

    def delay(self, error: BaseException, number: int) -> float | None:
        """Seconds before retry `number` (from 1), None to try no more."""
        if number > self.attempts or not self.covers(error):
            return None
        if self.backoff is not None:
            chosen = self.backoff(error, number)
            return None if chosen is None else self._spread(max(0.0, _seconds(chosen)))
        if self.delays is not None:
            return self._spread(_seconds(self.delays[min(number, len(self.delays)) - 1]))
        return self._spread((number - 1) ** 4 + 15 + random.uniform(0, 29) * number)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + random.uniform(0, self.jitter))


NEVER = Retry(attempts=0)


def retry_from(given: Any) -> Retry:
    """A Retry, from one, from a dictionary of its arguments, from a number of attempts, or from None for no retries.

    Raises ValueError or TypeError for anything else.
    """
    if given is None:
        return NEVER
    if isinstance(given, Retry):
        return given
    if isinstance(given, dict):
        return Retry(**given)
    return Retry(attempts=given)


def _seconds(delay: Delay) -> float:
    return delay.total_seconds() if isinstance(delay, timedelta) else float(delay)


def _names(kinds: Iterable[type[BaseException] | str]) -> set[str]:
    return {kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}
