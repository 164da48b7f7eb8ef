"""``manage.py produce``: a steady stream of the shop's jobs."""

from __future__ import annotations

import random
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError
from django.db import close_old_connections

from example_project.shop.events import EVENTS


class Command(BaseCommand):
    help = "Let things happen in the shop that enqueue jobs, of all kinds, until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--every", type=float, default=1.0, metavar="S", help="seconds between two events (default 1)"
        )
        parser.add_argument("--count", type=int, metavar="N", help="stop after so many events")

    def handle(self, **options: Any) -> None:
        left = options["count"]
        while left is None or left > 0:
            self._one()
            left = left and left - 1
            if left != 0:
                time.sleep(options["every"])

    def _one(self) -> None:
        event = random.choices(list(EVENTS), weights=list(EVENTS.values()))[0]
        try:
            close_old_connections()
            self.stdout.write(event())
        except DatabaseError as error:
            self.stderr.write(f"{event.__name__}: the database says {str(error).strip()}")
