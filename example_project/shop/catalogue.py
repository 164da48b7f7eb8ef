"""Catalogues of suppliers: CSV files that the shop imports."""

from __future__ import annotations

import csv
import uuid
from pathlib import Path

from example_project.services import CATALOGUES

COLOURS = ("red", "green", "blue", "grey", "Ōtani's")
THINGS = ("lamp", "chair", "table, round", "shelf", 'screen 24"')


def arrives(rows: int) -> Path:
    """A new catalogue of so many products; its name is its number."""
    CATALOGUES.mkdir(parents=True, exist_ok=True)
    path = CATALOGUES / f"{uuid.uuid4().hex}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "name", "price"])
        for number in range(1, rows + 1):
            name = f"{COLOURS[number % 5]} {THINGS[number // 5 % 5]}"
            writer.writerow([number, name, f"{number % 97}.{number % 100:02}"])
    return path
