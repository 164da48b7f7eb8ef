"""``manage.py produce``: a steady stream of jobs: of the shop and of Dhanman, or of the types that are named."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import close_old_connections

from django_jobs import client
from django_jobs.creation import Options
from django_jobs.exceptions import InvalidJob
from example_project.dhanman import daily
from example_project.shop import events

EVENTS = {**events.EVENTS, **daily.EVENTS}


class Command(BaseCommand):
    help = "Let things happen at the shop and at Dhanman that enqueue jobs, until it is stopped. Or name job types."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--every", type=float, default=1.0, metavar="S", help="seconds between two events (default 1)"
        )
        parser.add_argument("--count", type=int, metavar="N", help="stop after so many events")
        parser.add_argument("--types", metavar="A,B", help="instead, a job of these types in turn, without arguments")
        parser.add_argument("--user", metavar="NAME", help="with --types: who enqueues them")

    def handle(self, **options: Any) -> None:
        for number, event in enumerate(islice(self._events(options), options["count"])):
            if number:
                time.sleep(options["every"])
            self._one(event)

    def _events(self, options: dict[str, Any]) -> Iterator[Callable[[], str]]:
        if not options["types"]:
            while True:
                yield random.choices(list(EVENTS), weights=list(EVENTS.values()))[0]
        call = Options(created_by=_user(options["user"]))
        for name in cycle(options["types"].split(",")):
            yield lambda name=name: f"{name}: job {_enqueued(name, call)}"  # type: ignore[misc]

    def _one(self, event: Callable[[], str]) -> None:
        try:
            close_old_connections()
            self.stdout.write(event())
        except DatabaseError as error:
            self.stderr.write(f"The database says {str(error).strip()}")


def _user(name: str | None) -> User | None:
    if name is None:
        return None
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"--user: no user is named {name!r}")
    return user


def _enqueued(job_type: str, call: Options) -> int:
    try:
        return int(client.enqueue(job_type, [((), {})], call)[0].pk)
    except InvalidJob as error:
        raise CommandError(f"--types: {error}") from None
