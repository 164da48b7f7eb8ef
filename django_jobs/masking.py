"""What nobody is shown: values under sensitive names, and the texts that quote them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache
from typing import Any

from .call import as_python, positional_names
from .conf import settings
from .exceptions import InvalidJob
from .models import Job, RecurringJob
from .registry import registry

HIDDEN = "••••••"
SHORTEST = 4
"""Letters of a value that is looked for in texts: a shorter one would be found everywhere."""

TIMETABLE = ("CronError: ", "InvalidCron: ")
"""How what is said of a timetable begins."""


class Mask:
    """Hides what a call carries under the names of the setting ``SENSITIVE``, and under those that its type names."""

    def __init__(self, job: Job | RecurringJob) -> None:
        self.job = job
        self._type = registry.find(job.job_type)
        self._own = frozenset(self._type.sensitive) if self._type else frozenset()

    def hides(self, name: str) -> bool:
        """Whether what has this name is never shown."""
        return name in self._own or _is_sensitive(name, tuple(settings.SENSITIVE))

    def _load(self) -> Job | RecurringJob:
        """The job with its arguments: a list may have left them out."""
        if missing := self.job.get_deferred_fields() & {"args", "kwargs"}:
            self.job.refresh_from_db(fields=missing)
        return self.job

    @cached_property
    def names(self) -> list[str]:
        """The parameters that the positional arguments fill; an empty text for each where the code is not at hand."""
        count = len(self._load().args)
        return positional_names(self._type, count) if self._type else [""] * count

    @cached_property
    def args(self) -> list[Any]:
        pairs = zip(self.names, self.job.args, strict=True)
        return [HIDDEN if name and self.hides(name) else self.value(value) for name, value in pairs]

    @cached_property
    def kwargs(self) -> dict[str, Any]:
        masked: dict[str, Any] = self.value(self._load().kwargs)
        return masked

    def restored(self, args: Any, kwargs: Any, job_type: str | None = None) -> tuple[Any, Any]:
        """Arguments that somebody gives who was shown the masked ones: the mask stands for what it hides.

        Raises InvalidJob where the mask stands at a place of its own, or before another job type, which may hide less.
        """
        job = self._load()
        if job_type is not None and not self._is_of(job_type):
            return _without_mask(args, "args"), _without_mask(kwargs, "kwargs")
        return _restored(args, self.args, job.args, "args"), _restored(kwargs, self.kwargs, job.kwargs, "kwargs")

    def _is_of(self, job_type: str) -> bool:
        """Whether that is the job's type, by whatever name."""
        return job_type == self.job.job_type or (self._type is not None and registry.find(job_type) is self._type)

    @property
    def call(self) -> str:
        """`Job.call` as people may read it."""
        return as_python(self.job.job_type, self.args, self.kwargs)

    def value(self, value: Any) -> Any:
        """A JSON value as people may read it."""
        match value:
            case dict():
                return {key: HIDDEN if self._covers(key, part) else self.value(part) for key, part in value.items()}
            case list():
                return [self.value(part) for part in value]
            case str():
                return self.text(value)
        return value

    def text(self, text: str) -> str:
        """A text without what the job's sensitive arguments say."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def _covers(self, name: str, value: Any) -> bool:
        return value is not None and value != "" and self.hides(name)

    @cached_property
    def _secrets(self) -> list[str]:
        """The longest first, each as it stands in a text, in Python and in JSON."""
        pairs = zip(self.names, self.job.args, strict=True)
        named = [*self.job.kwargs.items(), *pairs]
        leaves = [leaf for name, part in named for leaf in self._leaves(part, inside=self.hides(name))]
        plain = {text for text in leaves if len(text) >= SHORTEST}
        written = {form for text in plain for form in (text, repr(text)[1:-1], json.dumps(text)[1:-1])}
        return sorted(written, key=len, reverse=True)

    def _leaves(self, value: Any, *, inside: bool) -> Iterator[str]:
        """The texts and numbers that stand somewhere under a sensitive name."""
        match value:
            case dict():
                for key, part in value.items():
                    yield from self._leaves(part, inside=inside or self.hides(key))
            case list():
                for part in value:
                    yield from self._leaves(part, inside=inside)
            case str() | int() | float() if inside and not isinstance(value, bool):
                yield str(value)


def trouble(row: RecurringJob, *, payload: bool) -> str:
    """What broke a recurring job. Its timetable is for everybody; all else that is said may quote arguments."""
    if payload:
        return Mask(row).text(row.error)
    return row.error if row.error.startswith(TIMETABLE) else row.error.partition(": ")[0]


def masks_of(job_ids: Collection[int]) -> dict[int, Mask]:
    """The masks of these jobs, as far as they are stored, by one query."""
    rows = Job.objects.using(settings.DATABASE).filter(pk__in=job_ids).only("job_type", "args", "kwargs")
    return {job.pk: Mask(job) for job in rows}


def _restored(given: Any, shown: Any, stored: Any, where: str) -> Any:
    """What somebody made of arguments that were shown masked: where the mask was left, what it hides.

    Raises InvalidJob where the mask stands at another place.
    """
    match given, shown, stored:
        case dict(), dict(), dict():
            return {
                key: _restored(part, shown.get(key), stored.get(key), f"{where}.{key}") for key, part in given.items()
            }
        case list(), list(), list() if len(given) == len(shown):
            triples = zip(given, shown, stored, strict=True)
            return [_restored(*three, f"{where}[{at}]") for at, three in enumerate(triples)]
    if given == shown and type(given) is type(shown):  # to Python, true is 1 and 1 is 1.0
        return stored
    return _without_mask(given, where)


def _without_mask(given: Any, where: str) -> Any:
    match given:
        case dict():
            return {key: _without_mask(part, f"{where}.{key}") for key, part in given.items()}
        case list():
            return [_without_mask(part, f"{where}[{at}]") for at, part in enumerate(given)]
        case str() if HIDDEN in given:
            raise InvalidJob(
                where,
                f"{HIDDEN} stands for a value that is not shown; it can only stay where it was, of the same job type",
            )
    return given


def hidden_anywhere(name: str) -> bool:
    """Whether some job may hide what has this name: then nobody finds it out by searching either."""
    return _is_sensitive(name, tuple(settings.SENSITIVE)) or any(name in job_type.sensitive for job_type in registry)


@lru_cache(maxsize=4096)
def _is_sensitive(name: str, words: tuple[str, ...]) -> bool:
    """Whether the name contains one of the words, however it is written: api_key, X-Api-Key, apiKey."""
    plain = _letters(name)
    return any(_letters(word) in plain for word in words)


def _letters(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()
