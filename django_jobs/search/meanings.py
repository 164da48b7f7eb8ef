"""What each field of a search means: the condition, who may use it, and how it is explained."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import states
from ..conf import settings
from ..masking import hidden_anywhere
from ..models import Breach
from . import payload
from .language import Term, Value
from .moments import span
from .refusals import BadSearch

NUMBER = re.compile(r"#?\d{1,18}|-\d{1,18}", re.ASCII)
BREACHES = {"wait": Breach.Kind.WAIT, "run": Breach.Kind.RUN}


@dataclass(frozen=True)
class Asker:
    """Who searches, and when."""

    user: Any
    payload: bool
    now: datetime


@dataclass(frozen=True)
class Condition:
    """A term in the words of the database. `key` names what an index may bear, where it is an equality."""

    term: Term
    q: Q
    aliases: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    prefix: str = ""
    """Of its names in the statement."""


Meaning = Callable[[Term, Asker, str], Condition]


@dataclass(frozen=True)
class Field:
    """`hidden` fields are for those who may see payloads."""

    meaning: Meaning
    example: str
    signs: frozenset[str] = frozenset({":"})
    hidden: bool = False
    deep: bool = False
    """Whether its name goes on with a path, as in ``args.invoice_id``."""


def _texts(column: str, *, key: str = "") -> Meaning:
    """The column is one of the texts; an asterisk at the beginning or the end stands for any text."""

    def meaning(term: Term, asker: Asker, prefix: str) -> Condition:
        found = Q()
        for value in term.values:
            wild = "*" in value.text and not value.quoted
            found |= payload.like(column, _pattern(term, value)) if wild else Q(**{column: value.text})
        single = len(term.values) == 1 and ("*" not in term.values[0].text or term.values[0].quoted)
        return Condition(term, found, key=key if single else "")

    return meaning


def _pattern(term: Term, value: Value) -> str:
    if "*" in value.text.strip("*"):
        raise BadSearch(
            term.text, _("an asterisk stands at the beginning or the end; put it in quotation marks to find one")
        )
    return value.text


def _parts(column: str) -> Meaning:
    """The column contains one of the texts."""

    def meaning(term: Term, asker: Asker, prefix: str) -> Condition:
        found = [Q(**{f"{column}__icontains": value.text.strip("*") or value.text}) for value in term.values]
        return Condition(term, Q(*found, _connector=Q.OR))

    return meaning


def _error(term: Term, asker: Asker, prefix: str) -> Condition:
    """The reason of what failed, or waits for its next try."""
    found = _parts("state_reason")(term, asker, prefix)
    return replace(found, q=found.q & (Q(state=states.FAILED) | Q(state_reason__startswith="Retry ")))


def _state(term: Term, asker: Asker, prefix: str) -> Condition:
    names = [value.text.lower() for value in term.values]
    if wrong := [name for name in names if name not in states.ALL]:
        expected = _("there is no state %(name)s; states are %(names)s")
        raise BadSearch(term.text, expected % {"name": wrong[0], "names": ", ".join(states.ALL)})
    return Condition(term, Q(state__in=names) if names[1:] else Q(state=names[0]), key="" if names[1:] else names[0])


def _numbers(column: str, key: str = "") -> Meaning:
    lookups = {">": "gt", "<": "lt", ">=": "gte", "<=": "lte"}

    def meaning(term: Term, asker: Asker, prefix: str) -> Condition:
        numbers = [_number(term, value.text) for value in term.values]
        if term.sign == ":":
            equal = {column: numbers[0]} if not numbers[1:] else {f"{column}__in": numbers}
            return Condition(term, Q(**equal), key="" if numbers[1:] else key)
        if numbers[1:]:
            raise BadSearch(term.text, _("one number is expected after %(sign)s") % {"sign": term.sign})
        return Condition(term, Q(**{f"{column}__{lookups[term.sign]}": numbers[0]}))

    return meaning


def _number(term: Term, text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise BadSearch(term.text, _("a whole number is expected"))
    return int(text.removeprefix("#"))


def _time(column: str) -> Meaning:
    def meaning(term: Term, asker: Asker, prefix: str) -> Condition:
        found = Q()
        texts = []
        for value in term.values:
            start, end = span(term.text, term.sign, value.text, asker.now)
            after, before = Q(**{f"{column}__gte": start}), Q(**{f"{column}__lt": end})
            found |= (after if start else Q()) & (before if end else Q()) & Q(**{f"{column}__isnull": False})
            texts.append(Value(f"{_iso(start)}..{_iso(end and end - timedelta(microseconds=1))}", quoted=True))
        return Condition(replace(term, sign=":", values=tuple(texts)), found)

    return meaning


def _iso(at: datetime | None) -> str:
    return at.isoformat(timespec="microseconds") if at else ""


def _user(term: Term, asker: Asker, prefix: str) -> Condition:
    """By key where there is such a user; jobs of users that are gone still have their names."""
    if len(term.values) == 1 and not term.values[0].quoted:
        text = term.values[0].text
        if text == "*":
            return Condition(term, Q(created_by__isnull=False))
        if text == "me" and asker.user is not None:
            named = Value(asker.user.get_username(), quoted=True)
            return Condition(replace(term, values=(named,)), Q(created_by=asker.user.pk), key="user")
    plain = [value.text for value in term.values if value.quoted or "*" not in value.text]
    model = get_user_model()
    column = model.USERNAME_FIELD
    users = dict(model._default_manager.filter(**{f"{column}__in": plain}).values_list(column, "pk")) if plain else {}
    found = Q(created_by__in=list(users.values())) if users else Q()
    if rest := tuple(value for value in term.values if value.text not in users):
        found |= _texts("created_by_name")(replace(term, values=rest), asker, prefix).q
    return Condition(term, found, key="user" if users and len(term.values) == 1 else "")


def _breach(term: Term, asker: Asker, prefix: str) -> Condition:
    names = [value.text for value in term.values]
    if wrong := [name for name in names if name not in {*BREACHES, "broken"}]:
        expected = _("%(name)s is no service level; give broken, wait or run")
        raise BadSearch(term.text, expected % {"name": wrong[0]})
    breaches = Breach.objects.using(settings.DATABASE)
    if "broken" not in names:
        breaches = breaches.filter(kind__in=[BREACHES[name] for name in names])
    return Condition(term, Q(pk__in=breaches.values("job")), key="sla")


def _path(term: Term) -> list[str]:
    if not term.path:
        raise BadSearch(term.text, _("a name is missing, as in %(name)s.customer:7") % {"name": term.name})
    if any(hidden_anywhere(name) for name in term.path):
        raise BadSearch(term.text, _("what this name holds is shown to nobody, and not searched"), hidden=True)
    for value in term.values:
        if not value.quoted:
            _pattern(term, value)
    return list(term.path)


def _argument(term: Term, asker: Asker, prefix: str) -> Condition:
    return Condition(term, *payload.argument(_path(term), term.values, prefix))


def _keyword(term: Term, asker: Asker, prefix: str) -> Condition:
    return Condition(term, *payload.keyword(_path(term), term.values, prefix))


def _metadata(term: Term, asker: Asker, prefix: str) -> Condition:
    return Condition(term, payload.metadata(_path(term), term.values))


def _tag(term: Term, asker: Asker, prefix: str) -> Condition:
    return Condition(term, *payload.tags([value.text for value in term.values], prefix))


def free(term: Term, asker: Asker, prefix: str) -> Condition:
    """A number of a job, or text in the type, the creator's name, and what may quote payload, the reason."""
    text = term.values[0].text
    if text.startswith("#") and text[1:].isdecimal() and not term.values[0].quoted:
        return _numbers("pk", "id")(term, asker, prefix)
    columns = ["job_type", "created_by_name", *["state_reason"] * asker.payload]
    return Condition(term, Q(*[Q(**{f"{column}__icontains": text}) for column in columns], _connector=Q.OR))


ANY = frozenset({":", ">", "<", ">=", "<="})


def _hidden(meaning: Meaning, example: str, *, deep: bool = False) -> Field:
    return Field(meaning, example, hidden=True, deep=deep)


EXPLAINED: dict[str, Any] = {
    "state": gettext_lazy("in one of these states"),
    "type": gettext_lazy("of this job type"),
    "queue": gettext_lazy("in this queue"),
    "user": gettext_lazy("created by this user; by me, or * for any user"),
    "tag": gettext_lazy("with this tag"),
    "args": gettext_lazy("with this argument, by the parameter's name; args.0 by its place"),
    "kwargs": gettext_lazy("with this keyword argument"),
    "metadata": gettext_lazy("with this in its metadata"),
    "error": gettext_lazy("failed, or waits to be tried again, with this in its error"),
    "reason": gettext_lazy("with this in the reason of its state"),
    "created": gettext_lazy("created then"),
    "due": gettext_lazy("scheduled for then"),
    "started": gettext_lazy("whose last run began then"),
    "finished": gettext_lazy("ended then"),
    "batch": gettext_lazy("member of this batch"),
    "recurring": gettext_lazy("run of this recurring job"),
    "sla": gettext_lazy("that broke a service level: broken, wait or run"),
    "worker": gettext_lazy("last run by this worker"),
    "priority": gettext_lazy("of this priority"),
    "id": gettext_lazy("of this number; #12 is short for id:12"),
}
FIELDS: dict[str, Field] = {
    "state": Field(_state, "state:failed,awaiting"),
    "type": Field(_texts("job_type", key="type"), "type:billing.*"),
    "queue": Field(_texts("queue", key="queue"), "queue:critical"),
    "user": Field(_user, "user:asha"),
    "tag": Field(_tag, "tag:acme"),
    "args": _hidden(_argument, "args.invoice_id:7", deep=True),
    "kwargs": _hidden(_keyword, "kwargs.customer.id:7", deep=True),
    "metadata": _hidden(_metadata, "metadata.customer:acme", deep=True),
    "error": _hidden(_error, 'error:"no card"'),
    "reason": _hidden(_parts("state_reason"), "reason:cancelled"),
    "created": Field(_time("created_at"), "created>2026-11-01", ANY),
    "due": Field(_time("scheduled_at"), "due:tomorrow", ANY),
    "started": Field(_time("started_at"), "started>-2h", ANY),
    "finished": Field(_time("finished_at"), "finished:2026-11-01..2026-11-07", ANY),
    "batch": Field(_numbers("batch", "batch"), "batch:12"),
    "recurring": Field(_texts("recurring_job__id", key="recurring"), "recurring:nightly"),
    "sla": Field(_breach, "sla:broken"),
    "worker": Field(_texts("worker"), "worker:web1*"),
    "priority": Field(_numbers("priority"), "priority>10", ANY),
    "id": Field(_numbers("pk", "id"), "id>1000", ANY),
}
NAMES = frozenset(FIELDS)
