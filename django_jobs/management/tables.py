"""Tables on a terminal: aligned columns that fit its width, and nothing in them that steers it."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Callable, Sequence

from django.core.management.base import BaseCommand

from .. import states
from ..monitoring import Count

GAP = 2
LEAST = 10
"""Letters that a column keeps, however narrow the terminal is; the longest name of a state has as many."""


def write_table(command: BaseCommand, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Numbers to the right; on a terminal the widest columns are cut until a line fits, elsewhere nothing is."""
    texts = [[one_line(cell) for cell in row] for row in rows]
    numeric = [bool(rows) and all(isinstance(row[at], int | Count) for row in rows) for at in range(len(header))]
    widths = [max(map(wide, column)) for column in zip(header, *texts, strict=True)]
    room = width_of(command)
    if room is not None:
        widths = fitted(widths, numeric, room)
    command.stdout.write(command.style.MIGRATE_HEADING(_line(header, widths, numeric, room)))
    for row in texts:
        command.stdout.write(_coloured(command, _line(row, widths, numeric, room), row))


def width_of(command: BaseCommand) -> int | None:
    """Columns of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if command.stdout.isatty() else None


def fitted(widths: Sequence[int], numeric: Sequence[bool], room: int) -> list[int]:
    """Takes from the widest column of text until a line fits, or nothing is left to take."""
    cut = list(widths)
    texts = [at for at, number in enumerate(numeric) if not number]
    while texts and sum(cut) + GAP * (len(cut) - 1) > room:
        widest = max(texts, key=lambda at: cut[at])
        if cut[widest] <= LEAST:
            break
        cut[widest] -= 1
    return cut


def visible(text: str, keep: str = "") -> str:
    """Without control characters: what a job says must not steer the terminal of who reads it."""
    return "".join(letter if letter.isprintable() or letter in keep else "\ufffd" for letter in text)


def one_line(cell: object) -> str:
    return "" if cell is None else visible(" ".join(str(cell).split()))


def wide(text: str) -> int:
    """Columns that a text takes on a terminal: letters of East Asia take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, width: int) -> str:
    """The text in at most so many columns, with "…" where something was left out."""
    if wide(text) <= width:
        return text
    kept, room = "", width - 1
    for letter in text:
        room -= _columns(letter)
        if room < 0:
            break
        kept += letter
    return kept + "…"


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], room: int | None) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, numeric, strict=True):
        text = cut(cell, width)
        space = " " * (width - wide(text))
        padded.append(space + text if right else text + space)
    line = (" " * GAP).join(padded).rstrip()
    return line if room is None else cut(line, room)


def _coloured(command: BaseCommand, line: str, cells: Sequence[str]) -> str:
    """The line with the first cell that is a state's name in that state's colour."""
    state = next((cell for cell in cells if cell in states.ALL), None)
    return line if state is None else line.replace(state, paint(command, state)(state), 1)


def paint(command: BaseCommand, state: str) -> Callable[[str], str]:
    """The colour of a state."""
    styles = {
        states.SUCCEEDED: command.style.SUCCESS,
        states.FAILED: command.style.ERROR,
        states.DELETED: command.style.NOTICE,
        states.PROCESSING: command.style.WARNING,
    }
    return styles.get(state, str)
