"""The bash completion of ``manage.py jobs``: written from the parsers of its verbs, so that it knows what they take."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable, Iterator

from django.db import DatabaseError

from .. import monitoring, queues, schedules
from ..registry import registry


def types() -> Iterable[str]:
    """Those registered here and, where the database answers, those that live servers publish."""
    try:
        return {*registry.names(), *monitoring.published_types()}
    except DatabaseError:
        return registry.names()


SOURCES: dict[str, Callable[[], Iterable[str]]] = {
    "TYPE": types,
    "QUEUE": queues.names,
    "SERVER": lambda: ["all", *monitoring.live_servers().values_list("name", flat=True)],
    "RECURRING": lambda: schedules.rows().values_list("pk", flat=True),
}
"""What stands for a name in the help of a verb, and where such names are found."""

SCRIPT = """\
# bash completion of `manage.py jobs`. To have it in every shell, add to ~/.bashrc:
#   eval "$(python manage.py jobs completion bash)"
_django_jobs() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} at verb word words= source= place=1 i
    for ((at = 1; at < COMP_CWORD; at++)); do
        [[ ${{COMP_WORDS[at]}} == jobs && ${{COMP_WORDS[at - 1]}} =~ (^|/)(manage\\.py|django-admin|django)$ ]] && break
    done
    COMPREPLY=()
    if ((at >= COMP_CWORD)); then
        [[ -z $_django_jobs_before ]] || "$_django_jobs_before" "$@"
        return
    fi
    verb=${{COMP_WORDS[at + 1]}}
    if ((COMP_CWORD == at + 1)); then
        words={verbs}
    else
        for ((i = at + 2; i < COMP_CWORD; i++)); do
            case "$verb ${{COMP_WORDS[i]}}" in
                {valued}) ((i++)) ;;
                *" "-*) ;;
                *) ((place++)) ;;
            esac
        done
        word=${{COMP_WORDS[COMP_CWORD - 1]}}
        case "$verb $word" in
{values}
            {valued}) return ;;
            *)
                if [[ $cur == -* ]]; then
                    case $verb in
{options}
                    esac
                else
                    case "$verb $place" in
{places}
                    esac
                fi ;;
        esac
    fi
    [[ -z $source ]] || words=$("${{COMP_WORDS[@]:0:at}}" jobs completion "$source" 2>/dev/null)
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
if [[ $(complete -p manage.py 2>/dev/null) =~ -F\\ ([^ ]+) && ${{BASH_REMATCH[1]}} != _django_jobs ]]; then
    _django_jobs_before=${{BASH_REMATCH[1]}}
fi
complete -o bashdefault -o default -F _django_jobs manage.py django-admin python python3
"""


def bash(parsers: dict[str, argparse.ArgumentParser]) -> str:
    """The script, from the parser of each verb."""
    return SCRIPT.format(
        verbs=shlex.quote(" ".join(parsers)),
        valued="|".join(f'"{verb} {option}"' for verb, parser in parsers.items() for option in _valued(parser)),
        values="\n".join(_lines(_values, parsers, 12)),
        options="\n".join(_lines(_options, parsers, 24)),
        places="\n".join(_lines(_places, parsers, 24)),
    )


Cases = Iterator[tuple[str, str]]


def _lines(
    cases: Callable[[argparse.ArgumentParser], Cases], parsers: dict[str, argparse.ArgumentParser], indent: int
) -> Iterator[str]:
    for verb, parser in parsers.items():
        for word, words in cases(parser):
            yield f"{' ' * indent}{_pattern(verb, word)}) {words} ;;"


def _pattern(verb: str, word: str) -> str:
    return f"{verb}\\ *" if word == "*" else shlex.quote(f"{verb} {word}".strip())


def _named(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]


def _valued(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in _named(parser) if action.nargs != 0 for option in action.option_strings]


def _values(parser: argparse.ArgumentParser) -> Cases:
    """What may follow an option."""
    for action in _named(parser):
        if words := _words(action):
            yield from ((option, words) for option in action.option_strings)


def _options(parser: argparse.ArgumentParser) -> Cases:
    """The options themselves, without those of every Django command."""
    yield "", f"words={shlex.quote(' '.join(option for action in _named(parser) for option in action.option_strings))}"


def _places(parser: argparse.ArgumentParser) -> Cases:
    """What may stand at each place that is not an option's."""
    for place, action in enumerate((one for one in parser._actions if not one.option_strings), 1):
        if words := _words(action):
            yield "*" if action.nargs in {"*", "+"} else str(place), words


def _words(action: argparse.Action) -> str:
    """Either the words that may stand there, or where to ask for them."""
    if action.choices:
        return f"words={shlex.quote(' '.join(map(str, action.choices)))}"
    return f"source={action.metavar}" if action.metavar in SOURCES else ""
