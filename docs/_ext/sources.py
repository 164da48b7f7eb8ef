"""What the reference takes from the code itself, as Markdown or SVG. It needs no Sphinx; the tests use it, too."""

from __future__ import annotations

import argparse
import io
import re
import tokenize
from html import escape
from textwrap import fill
from typing import Any, NamedTuple

from django.apps import apps
from django.core.management import load_command_class

from django_jobs import conf, groups, states
from django_jobs.api import urls
from django_jobs.management.exits import Exit
from django_jobs.management.verbs import VERBS

WIDTH = 80


class Setting(NamedTuple):
    """One key of ``DJANGO_JOBS``: its default as written in the source, and the comment above it."""

    key: str
    default: str
    meaning: str


def settings() -> list[Setting]:
    """The keys of `conf.DEFAULTS` with the comments that stand above them."""
    comments = _comments_above_keys()
    return [Setting(key, _written(key, value), comments.get(key, "")) for key, value in conf.DEFAULTS.items()]


def _written(key: str, value: Any) -> str:
    if key == "RETENTION":
        return ", ".join(f"{state}: {_span(kept)}" for state, kept in conf.DEFAULT_RETENTION.items() if kept)
    return f"{value:,}".replace(",", "_") if type(value) is int else repr(value)


def _span(kept: Any) -> str:
    if kept is None:
        return "for ever"
    return f"{kept.days} day{'' if kept.days == 1 else 's'}"


def _comments_above_keys() -> dict[str, str]:
    """The comment lines directly above each ``"KEY":`` of conf.py."""
    with open(conf.__file__, encoding="utf-8") as file:
        source = file.read()
    lines: list[str] = []
    found: dict[str, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            lines.append(token.string.lstrip("# "))
        elif token.type == tokenize.STRING and re.fullmatch(r'"[A-Z_]+"', token.string) and lines:
            found.setdefault(token.string.strip('"'), " ".join(lines))
            lines = []
        elif token.type not in {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT}:
            lines = []
    return found


def settings_table() -> str:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    rows += [f"| `{key}` | `{default}` | {meaning} |" for key, default, meaning in settings()]
    fixed = ", ".join(f"`{key}`" for key in conf.DEFAULTS if key not in conf.FROM_ENVIRONMENT)
    return "\n".join(rows) + f"\n\nAn environment variable `DJANGO_JOBS_<KEY>` overrides any of them but {fixed}.\n"


def command_help(name: str, verb: str = "") -> str:
    """The text of ``manage.py <name> [<verb>] --help``, without the options that every Django command has."""
    parser = load_command_class("django_jobs", name).create_parser("manage.py", name)
    return _parser_help(f"{name} {verb}", verb_parsers(parser)[verb]) if verb else _parser_help(name, parser)


def verb_parsers(parser: Any) -> dict[str, Any]:
    return {
        verb: one
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for verb, one in action.choices.items()
    }


def _parser_help(name: str, parser: Any) -> str:
    arguments = [action for action in parser._actions if not action.option_strings]
    placed = "".join(f" {_metavar(action)}" + ("…" if action.nargs == "*" else "") for action in arguments)
    shown = [f"usage: manage.py {name}{placed} [options]", "", fill(parser.description or "", WIDTH), ""]
    for action in [*arguments, *own_options(parser)]:
        if isinstance(action, argparse._SubParsersAction):
            continue
        value = f" {_metavar(action)}" if action.nargs != 0 or not action.option_strings else ""
        shown.append("  " + (", ".join(action.option_strings) + value).strip())
        if action.help:
            shown.append(fill(action.help, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(shown).rstrip()


def own_options(parser: Any) -> list[Any]:
    """The options that the command itself added."""
    common = {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"}
    common.add("skip_checks")
    return [action for action in parser._actions if action.option_strings and action.dest not in common]


def _metavar(action: Any) -> str:
    if action.choices and not isinstance(action, argparse._SubParsersAction):
        return "{" + ",".join(map(str, action.choices)) + "}"
    return str(action.metavar or action.dest.upper())


def permissions_table() -> str:
    """Every permission, with the groups that have it."""
    names = list(groups.GROUPS)
    rows = [f"| permission | meaning | {' | '.join(name.removeprefix('Jobs ') for name in names)} |"]
    rows.append("|---|---" + "|:-:" * len(names) + "|")
    for model in apps.get_app_config("django_jobs").get_models():
        meta = model._meta
        named = [
            (f"{kind}_{meta.model_name}", f"Can {kind} {meta.verbose_name_plural}") for kind in meta.default_permissions
        ]
        for code, text in [*named, *meta.permissions]:
            marks = ["●" if groups.GROUPS[name](str(meta.model_name), code) else "" for name in names]
            rows.append(f"| `django_jobs.{code}` | {text} | {' | '.join(marks)} |")
    return "\n".join(rows)


def jobs_verbs_table() -> str:
    """The verbs of `manage.py jobs`, in words of their help."""
    rows = ["| verb | |", "|---|---|"]
    return "\n".join([*rows, *(f"| [`jobs {name}`](#jobs-{name}) | {verb.HELP} |" for name, verb in VERBS.items())])


def exits_table() -> str:
    rows = ["| exit status | meaning |", "|---|---|"]
    return "\n".join([*rows, *(f"| {status.value} | {status.meaning} |" for status in Exit)])


def verbs_table() -> str:
    rows = ["| verb | moves from | to | permission |", "|---|---|---|---|"]
    for verb in states.VERBS.values():
        sources = ", ".join(state for state in states.ALL if state in verb.sources)
        rows.append(f"| {verb.name} | {sources} | {verb.target} | `{verb.permission}` |")
    return "\n".join(rows)


def endpoints_table() -> str:
    """Every method and address of the REST API, in words of its docstrings."""
    rows = ["| method and address | does | permission |", "|---|---|---|"]
    for pattern in urls.urlpatterns + urls.operations:
        view = getattr(pattern, "callback", None)
        address = (
            re.sub(r"\(\?P<(\w+)>(?:[^()[]|\[[^]]*\])*\)", r"{\1}", str(pattern.pattern))
            .strip("^$")
            .removesuffix("\\Z")
        )
        for method, action in getattr(view, "actions", {"get": ""}).items() if view else ():
            does = getattr(view.cls, action).__doc__ if action else view.cls.__doc__
            needs = f"`{view.cls.needs[action]}`" if action else "to be logged in"
            text = " ".join((does or "One of them.").split()).replace("|", "\\|")
            rows.append(f"| `{method.upper()} {address.replace('{pk}', '{id}')}` | {text} | {needs} |")
    return "\n".join(rows)


def moves_table() -> str:
    rows = ["| from \\ to | " + " | ".join(states.ALL) + " |", "|---" * (len(states.ALL) + 1) + "|"]
    for state in states.ALL:
        rows.append(
            f"| **{state}** | " + " | ".join("●" if to in states.MOVES[state] else "" for to in states.ALL) + " |"
        )
    return "\n".join(rows)


ORDER = ("awaiting", "scheduled", "enqueued", "processing", "paused", "succeeded", "failed", "deleted")
"""From left to right: roughly as a job lives."""
USUAL = {("scheduled", "enqueued"), ("enqueued", "processing"), ("processing", "succeeded"), ("processing", "failed")}
STEP, MIDDLE, BOX = 105, 190, (90, 30)


def states_svg() -> str:
    """The moves of `states.MOVES`: onward as arcs above the states, back as arcs below."""
    assert set(ORDER) == set(states.ALL)
    arcs = [_arc(start, end) for start in ORDER for end in ORDER if end in states.MOVES[start]]
    boxes = [_box(state) for state in ORDER]
    width = STEP * len(ORDER)
    return (
        f'<svg class="job-states" viewBox="0 0 {width} {2 * MIDDLE}" role="img" xmlns="http://www.w3.org/2000/svg">'
        "<title>The states of a job and the moves between them</title>"
        "<style>.job-states{width:100%;height:auto;font:13px sans-serif}"
        ".job-states path{fill:none;stroke:currentColor;stroke-opacity:.3}"
        ".job-states path.usual{stroke-opacity:1;stroke-width:2}"
        ".job-states path:hover{stroke-opacity:1;stroke-width:3}"
        ".job-states rect{fill:none;stroke:currentColor}.job-states rect.final{stroke-width:2.5}"
        ".job-states text{fill:currentColor;text-anchor:middle;dominant-baseline:central}"
        ".job-states marker path{fill:currentColor;stroke:none}</style>"
        '<defs><marker id="job-states-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
        + "".join(arcs + boxes)
        + "</svg>"
    )


def _centre(state: str) -> int:
    return ORDER.index(state) * STEP + STEP // 2


def _arc(start: str, end: str) -> str:
    """Onward arcs leave right of the box's middle and arrive left of it, so that tips and tails do not meet."""
    if start == end:
        x, y = _centre(start), MIDDLE + BOX[1] // 2
        path = f"M{x + 8} {y}C{x + 30} {y + 40} {x - 30} {y + 40} {x - 8} {y}"
    else:
        onward = 1 if ORDER.index(end) > ORDER.index(start) else -1
        steps = abs(ORDER.index(end) - ORDER.index(start))
        y = MIDDLE - onward * BOX[1] // 2
        first, last = _centre(start) + onward * (8 + 3 * steps), _centre(end) - onward * (8 + 3 * steps)
        height = onward * (20 + 29 * steps)
        path = f"M{first} {y}C{first} {y - height} {last} {y - height} {last} {y}"
    usual = ' class="usual"' if (start, end) in USUAL else ""
    return f'<path{usual} d="{path}" marker-end="url(#job-states-tip)"><title>{start} → {end}</title></path>'


def _box(state: str) -> str:
    x, y = _centre(state) - BOX[0] // 2, MIDDLE - BOX[1] // 2
    final = ' class="final"' if state in states.ENDED else ""
    return (
        f'<rect{final} x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6"/>'
        f'<text x="{_centre(state)}" y="{MIDDLE}">{escape(state.title())}</text>'
    )
