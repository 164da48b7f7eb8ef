"""A traceback as markup: frames of the site's own code stand out, those of libraries step back."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

FRAME = re.compile(r'^(?P<margin>[ |]*)File "(?P<file>[^"]+)", line (?P<line>\d+)(?P<word>, in )?(?P<function>.*)$')
MARKS = re.compile(r"^[ |]*[~^]+[ ~^]*$")
HEAD = re.compile(
    r"^[ |+]*(Traceback \(most recent call last\)|Exception Group Traceback|The above exception|During handling)"
)
ERROR = re.compile(r"^[ |]*[A-Za-z_][\w.]*(Error|Exception|Warning|Exit|Interrupt|Group)?\b.*$")
FOREIGN = re.compile(r"[/\\](site|dist)-packages[/\\]|[/\\]lib[/\\]python\d|^<")


def marked(text: str) -> SafeString:
    """The traceback for a `pre`, each line in an element of its own kind; the text stays what it was."""
    return format_html_join("\n", "{}", ((line,) for line in _lines(text)))


def _lines(text: str) -> Iterator[SafeString]:
    own: bool | None = None
    """Whether the frame that the line belongs to is of the site's code; None outside of frames."""
    for line in text.split("\n"):
        if frame := FRAME.match(line):
            own = is_own(frame["file"])
            yield _frame(frame, own=own)
        elif own is not None and line.startswith(("    ", "  |     ", "    |")):
            yield _said("dj-marks" if MARKS.match(line) else "dj-code", line, own=own)
        else:
            own = None
            yield _between(line)


def _frame(frame: re.Match[str], *, own: bool) -> SafeString:
    return format_html(
        '<span class="dj-frame{}">{}File "<span class="dj-file">{}</span>", line <span class="dj-line-number">{}</span>'
        '{}<span class="dj-function">{}</span></span>',
        " dj-own" if own else "",
        frame["margin"],
        frame["file"],
        frame["line"],
        frame["word"] or "",
        frame["function"],
    )


def _said(style: str, line: str, *, own: bool) -> SafeString:
    return format_html('<span class="{}{}">{}</span>', style, " dj-own" if own else "", line)


def _between(line: str) -> SafeString:
    if HEAD.match(line):
        return format_html('<span class="dj-head">{}</span>', line)
    if ERROR.match(line):
        return format_html('<span class="dj-raised">{}</span>', line)
    return format_html("{}", line)


def is_own(file: str) -> bool:
    """Whether a file is the site's: none of Python's library, of an installed package or of ours.

    The worker may have had other paths than this host, so the path's shape counts, too.
    """
    return not (FOREIGN.search(file) or file.startswith(_libraries()))


@cache
def _libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return (paths["stdlib"], paths["purelib"], paths["platlib"], str(Path(__file__).parent.parent))
