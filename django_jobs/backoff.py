"""Retry: how often a failed job runs again, and when."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self, cast

Delay = float | timedelta
Backoff = Callable[[BaseException, int], "Delay | None"]
"""Given the exception and the number of the retry (from 1): the delay, or None to try no more."""
Kind = type[BaseException] | str
Kinds = Iterable[Kind] | Kind


@dataclass(frozen=True)
class Retry:
    """A failed job is Scheduled again, up to `attempts` times after its first run.

    delays: seconds (or timedeltas) before each retry, the last one repeats; 0 runs at once.
    backoff: a function that decides instead; see `Backoff`.
    Without either, delays grow with the fourth power of the number, as Hangfire's do: 15 to 44 s before the first
    retry, about two hours before the tenth, four and a half hours in all.
    jitter: up to this fraction is added to each delay at random, so that jobs that failed together part; the growing
    delays have their own.
    only_on, except_on: exception classes, or their dotted names, or one of them; subclasses match. Others fail at once.
    on_exceeded: "fail" leaves the job Failed, "delete" moves it to Deleted.

    Raises ValueError for what cannot be.
    """

    attempts: int = 10
    delays: Sequence[Delay] | None = None
    backoff: Backoff | None = None
    jitter: float = 0.0
    only_on: Kinds = ()
    except_on: Kinds = ()
    on_exceeded: Literal["fail", "delete"] = "fail"

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or self.attempts < 0:
            raise ValueError(f"Retry(attempts={self.attempts!r}): give a whole number of at least 0")
        if self.delays is not None and self.backoff is not None:
            raise ValueError("Retry takes delays or backoff, not both")
        if self.backoff is not None and not callable(self.backoff):
            raise ValueError(f"Retry(backoff={self.backoff!r}): give a function, or None")
        if self.delays is not None and not _is_delays(self.delays):
            raise ValueError(f"Retry(delays={self.delays!r}): give a list of seconds or timedeltas, none below 0")
        if not isinstance(self.jitter, int | float) or not 0 <= self.jitter <= 1:
            raise ValueError(f"Retry(jitter={self.jitter!r}): give a fraction from 0 to 1")
        if self.on_exceeded not in {"fail", "delete"}:
            raise ValueError(f'Retry(on_exceeded={self.on_exceeded!r}): give "fail" or "delete"')
        for name in ("only_on", "except_on"):
            object.__setattr__(self, name, _kinds(name, getattr(self, name)))

    def covers(self, error: BaseException) -> bool:
        """Whether that exception is one to try again after."""
        names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__} | {
            kind.__qualname__ for kind in type(error).__mro__ if kind.__module__ == "builtins"
        }
        only, never = _names(self.only_on), _names(self.except_on)
        return not names & never and (not only or bool(names & only))

    def delay(self, error: BaseException, number: int, told: Callable[[], Any] = lambda: None) -> float | None:
        """Seconds before retry `number` (from 1), None to try no more. `told` reads the job, where that is needed."""
        if number > self.attempts or not self.covers(error):
            return None
        if self.backoff is not None:
            chosen = self.ask(error, number, told)
            return None if chosen is None else self._spread(max(0.0, _seconds(chosen)))
        if self.delays is not None:
            return self._spread(_seconds(self.delays[min(number, len(self.delays)) - 1]))
        return self._spread((number - 1) ** 4 + 15 + random.uniform(0, 29) * number)

    def ask(self, error: BaseException, number: int, told: Callable[[], Any]) -> Delay | None:
        """What the backoff function says."""
        assert self.backoff is not None
        return self.backoff(error, number)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + random.uniform(0, self.jitter))


@dataclass(frozen=True)
class Attempts(Retry):
    """A Retry by the terms that are proposed for Django's own tasks: `backoff` is given the exception and the job."""

    backoff: Callable[[BaseException, Any], Delay | None] | None = None

    @classmethod
    def of(cls, max_attempts: int | None, backoff: Callable[[BaseException, Any], Delay | None] | None) -> Self:
        """`max_attempts` counts the first run, too; None is ten retries, as a Retry has. Raises ValueError."""
        if max_attempts is not None and (type(max_attempts) is not int or max_attempts < 1):
            raise ValueError(f"max_attempts is {max_attempts!r}; give a whole number of at least 1")
        if backoff is not None and not callable(backoff):
            raise ValueError(f"backoff is {backoff!r}; give a function of the exception and the job")
        return cls(attempts=10 if max_attempts is None else max_attempts - 1, backoff=backoff)

    def ask(self, error: BaseException, number: int, told: Callable[[], Any]) -> Delay | None:
        assert self.backoff is not None
        return self.backoff(error, told())


def _is_delays(delays: Any) -> bool:
    listed = isinstance(delays, Sequence) and not isinstance(delays, str) and bool(delays)
    numbers = listed and all(isinstance(delay, int | float | timedelta) for delay in delays)
    return numbers and all(math.isfinite(_seconds(delay)) and _seconds(delay) >= 0 for delay in delays)


def _kinds(name: str, given: Any) -> tuple[Kind, ...]:
    """Exceptions by class or name, one alone as well; raises ValueError for what can match none."""
    one = isinstance(given, str | type) or not isinstance(given, Iterable)
    kinds = (given,) if one else tuple(given)
    if not all(_is_exception(kind) or (kind and isinstance(kind, str)) for kind in kinds):
        raise ValueError(f"Retry({name}={given!r}): give exception classes, or their dotted names")
    return kinds


def _is_exception(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseException)


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


def _names(kinds: Kinds) -> set[str]:
    listed = cast("tuple[Kind, ...]", kinds)  # as `__post_init__` left them
    return {kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}" for kind in listed}
