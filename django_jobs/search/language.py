"""The language of searches: a text taken apart into terms. What a term means is said in `meanings`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from .refusals import BadSearch

MOST_TERMS = 20
MOST_LETTERS = 2000
HEAD = re.compile(
    r'(?P<not>-?)(?P<name>[^\W\d][\w-]*)(?P<path>(?:\.(?:[\w-]+|"(?:[^"\\]|\\.)*"))*)(?P<dot>\.*)'
    r"(?P<sign>:?(?:>=|<=|[<>])|[:=])(?P<rest>.*)",
    re.DOTALL,
)
SEGMENT = re.compile(r'\.([\w-]+|"(?:[^"\\]|\\.)*")')
PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"]+|"')
PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+|,')
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
NAME = re.compile(r"[\w-]+")
PLAIN = re.compile(r"[\w.@/#+-]+")


@dataclass(frozen=True)
class Value:
    """What a term looks for; in quotation marks every letter stands for itself."""

    text: str
    quoted: bool = False

    def __str__(self) -> str:
        if PLAIN.fullmatch(self.text.strip("*") or "any") and not self.quoted:
            return self.text
        return quoted(self.text)


@dataclass(frozen=True)
class Term:
    """`name` is empty for free text. Several values are alternatives."""

    text: str
    name: str
    sign: str
    values: tuple[Value, ...]
    negated: bool = False
    path: tuple[str, ...] = ()
    """What follows the name, as in ``args.customer.id``."""

    def __str__(self) -> str:
        path = "".join(f".{part if NAME.fullmatch(part) else quoted(part)}" for part in self.path)
        head = f"{self.name}{path}{self.sign}" if self.name else ""
        return f"{'-' if self.negated else ''}{head}{','.join(map(str, self.values))}"


def written(text: str) -> str:
    """The text as a value that may stand for a number, true, false or null, too, but for nothing else."""
    return text if PLAIN.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    """The text so that it stands for itself in a search."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def terms(text: str, known: frozenset[str]) -> list[Term]:
    """The terms of a search, which are joined by "and". `known` are the names of fields; raises BadSearch."""
    if "\0" in text or len(text) > MOST_LETTERS:
        raise BadSearch(text[:50], _("a search has at most %(most)d letters, and no NUL") % {"most": MOST_LETTERS})
    found = [_term(piece, known) for piece in _pieces(text)]
    if len(found) > MOST_TERMS:
        raise BadSearch(found[MOST_TERMS].text, _("a search has at most %(most)d terms") % {"most": MOST_TERMS})
    return found


def _pieces(text: str) -> Iterator[str]:
    """What blanks separate, but for those in quotation marks."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start = at
        while at < len(text) and not text[at].isspace():
            piece = PIECE.match(text, at)
            assert piece is not None
            if piece[0] == '"':
                raise BadSearch(text[start:][:50], _("the quotation mark is not closed"))
            at = piece.end()
        yield text[start:at]


def _term(piece: str, known: frozenset[str]) -> Term:
    head = HEAD.fullmatch(piece)
    if head is None:
        return _free(piece)
    name, rest = head["name"], head["rest"]
    if name not in known:
        if not rest:  # as in a message that was pasted: `ValueError: no card`
            return _free(piece)
        names = ", ".join(sorted(known))
        raise BadSearch(
            piece,
            _("there is no field %(name)s. Fields are %(names)s; put text that has a sign in it in quotation marks")
            % {"name": name, "names": names},
        )
    if not rest:
        raise BadSearch(piece, _("a value is missing after it"))
    sign = ":" if head["sign"] == "=" else head["sign"][-2:].lstrip(":") or ":"
    path = tuple(_value(part).text for part in SEGMENT.findall(head["path"]))
    if head["dot"] or "" in path:
        raise BadSearch(piece, _("a name is missing behind the dot"))
    return Term(piece, name, sign, tuple(_values(piece, rest)), bool(head["not"]), path)


def _free(piece: str) -> Term:
    negated = piece.startswith("-") and len(piece) > 1
    return Term(piece, "", ":", (_value(piece[negated:]),), negated)


def _values(piece: str, rest: str) -> Iterator[Value]:
    parts = PART.findall(rest)
    if "," in (parts[0], parts[-1]) or ",," in "".join("," if part == "," else "x" for part in parts):
        raise BadSearch(piece, _("a value is missing beside a comma"))
    yield from (_value(part) for part in parts if part != ",")


def _value(part: str) -> Value:
    whole = QUOTED.fullmatch(part)
    if whole:
        return Value(re.sub(r"\\(.)", r"\1", whole[1]), quoted=True)
    return Value(QUOTED.sub(lambda match: re.sub(r"\\(.)", r"\1", match[1]), part))
