"""A search as a whole: its terms checked, what an index bears of it, and what must be looked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn, TypeVar

from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.utils.translation import gettext as _

from .. import clock, monitoring, states
from ..models import Job
from . import language
from .language import Term
from .meanings import FIELDS, NAMES, Asker, Condition, Field, free
from .refusals import BadSearch

ASIDE = frozenset({"awaiting", "paused", "failed", "deleted"})
"""States whose jobs an index has in the order of their numbers."""
WALKS: tuple[tuple[frozenset[str], ...], ...] = (
    (frozenset({"id"}),),
    (frozenset({"batch"}),),
    (frozenset({"recurring"}),),
    (frozenset({"user"}),),
    (frozenset({"sla"}),),
    (frozenset({"enqueued"}), frozenset({"queue"})),
    (frozenset({"awaiting", "paused", "failed"}),),
    (frozenset({"type"}),),
    (ASIDE,),
)
"""What an index bears in the order of the numbers: one key out of each set, the rarest first."""

J = TypeVar("J", bound=QuerySet[Any])


@dataclass(frozen=True)
class Search:
    """What is looked for. `str` of it is a text that means the same whoever asks, and whenever."""

    conditions: tuple[Condition, ...] = ()

    def __str__(self) -> str:
        return " ".join(str(condition.term) for condition in self.conditions)

    @property
    def needs_payload(self) -> bool:
        """Whether only those may ask who may see payloads."""
        return any(one.term.name and FIELDS[one.term.name].hidden for one in self.conditions)

    @property
    def within(self) -> frozenset[str]:
        """The states in which a job that matches can be."""
        left = frozenset(states.ALL)
        for term in (one.term for one in self.conditions if one.term.name == "state"):
            named = {value.text.lower() for value in term.values}
            left = left - named if term.negated else left & named
        return left

    def narrow(self, jobs: J) -> J:
        """Those of the jobs that match."""
        return narrowed(jobs, self.conditions)

    def parted(self) -> tuple[list[Condition], list[Condition]]:
        """What an index bears in the order of the numbers, and the rest."""
        for walk in WALKS:
            borne = [next((one for one in self.conditions if one.key in keys), None) for keys in walk]
            if all(borne):
                chosen = [one for one in borne if one is not None]
                return chosen, [one for one in self.conditions if one not in chosen]
        return [], list(self.conditions)


def narrowed(jobs: J, conditions: Iterable[Condition]) -> J:
    """The jobs that meet all conditions. A negated one is met by what has no such value at all, too."""
    for one in conditions:
        jobs = jobs.alias(**one.aliases)
        if one.term.negated:
            met = Case(When(one.q, then=Value(1)), default=Value(0), output_field=IntegerField())
            jobs = jobs.alias(**{f"{one.prefix}_met": met}).filter(**{f"{one.prefix}_met": 0})
        else:
            jobs = jobs.filter(one.q)
    return jobs


def compile(text: str, *, by: Any = None, payload: bool = True, prefix: str = "t") -> Search:
    """The search that the text asks for. Raises BadSearch, which names the term and what was expected.

    by: the user for whom ``user:me`` stands. payload: whether he may see payloads; BadSearch is raised otherwise.
    prefix: of names in the statement, where several searches narrow one.
    """
    asker = Asker(by, payload, clock.now())
    found = language.terms(text, NAMES)
    if len(found) == 1 and not found[0].name and _is_number(found[0]):
        found = [Term(found[0].text, "id", ":", found[0].values)]
    return Search(tuple(_condition(term, asker, f"{prefix}{number}") for number, term in enumerate(found)))


def _is_number(term: Term) -> bool:
    (value,) = term.values
    return not (value.quoted or term.negated) and monitoring.job_number(value.text) is not None


def _condition(term: Term, asker: Asker, prefix: str) -> Condition:
    if not term.name:
        return replace(free(term, asker, prefix), prefix=prefix)
    field = FIELDS[term.name]
    if field.hidden and not asker.payload:
        raise BadSearch(term.text, _("this takes the permission to see arguments and results of jobs"), hidden=True)
    if term.path and not field.deep:
        _refuse(term, field, _("%(name)s has no parts; give %(example)s"))
    if term.sign not in field.signs:
        _refuse(term, field, _("%(sign)s is not possible here; give %(example)s"))
    condition = field.meaning(term, asker, prefix)
    return replace(condition, prefix=prefix, key="" if term.negated else condition.key)


def _refuse(term: Term, field: Field, expected: str) -> NoReturn:
    raise BadSearch(term.text, expected % {"name": term.name, "sign": term.sign, "example": field.example})


def find_jobs(text: str, *, by: Any = None) -> QuerySet[Job]:
    """The jobs that match, newest first: ``find_jobs('state:failed args.invoice_id:7 created>-2d')``.

    The language is that of the admin's search; `by` is the user for whom ``user:me`` stands. Nobody's permission is
    asked for. Raises BadSearch. Without an index the whole table is looked at: take a slice of it.
    """
    return compile(text, by=by).narrow(monitoring.jobs())
