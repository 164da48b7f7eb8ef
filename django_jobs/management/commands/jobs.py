"""``manage.py jobs VERB``: jobs on the command line. Each verb is a module of `management.verbs`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, ProgrammingError

from ...conf import settings
from ...exceptions import InvalidJob, JobsError
from ..exits import Exit, Failed, Misused
from ..verbs import VERBS


class Command(BaseCommand):
    help = "Look at background jobs, and enqueue them. `jobs VERB --help` tells more of each verb."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
        for name, verb in VERBS.items():
            described = verb.HELP[0].upper() + verb.HELP[1:] + "."
            verb.add_arguments(subparsers.add_parser(name, help=verb.HELP, description=described))

    def handle(self, **options: Any) -> None:
        try:
            VERBS[options["verb"]].run(self, options)
        except InvalidJob as error:
            raise Misused(str(error)) from error
        except JobsError as error:
            raise Failed(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            told = f"The database {settings.DATABASE!r} cannot be used ({str(error).strip()}); `jobs doctor` says why"
            raise Failed(told, Exit.NO_DATABASE) from error
