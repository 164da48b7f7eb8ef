"""``jobs consume``."""

from __future__ import annotations

import os
import signal
from threading import Event as Flag
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from ...conf import settings
from ...contrib.broker.consumer import Consumer
from ...contrib.broker.handlers import handlers
from ...contrib.broker.sources import Source
from ...exceptions import SourceRefused
from ...server import logs
from ..exits import Misused

HELP = "turn events of a message broker into jobs until it is stopped: those that a function under @on_event takes"
RABBITMQ = "django_jobs.contrib.broker.amqp.AmqpSource"
URL = "DJANGO_JOBS_BROKER_URL"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--queue", metavar="NAME", help="the broker's queue, instead of that of DJANGO_JOBS['BROKER']")
    parser.add_argument("--exchange", metavar="NAME", help="a topic exchange to bind the queue to")
    parser.add_argument("--log-format", choices=["text", "json"], default="text", help="lines for people, or JSON")
    parser.add_argument(
        "--log-level", choices=["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO", help="least level"
    )


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    logs.configure(options["log_format"], options["log_level"])
    if not handlers.names():
        raise CommandError("Nothing takes events: write a function under @on_event in an app's jobs.py")
    stopping = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stopping.set())
    source = make_source({name: options[name] for name in ("queue", "exchange") if options[name]})
    command.stderr.write(f"Taking {', '.join(handlers.names())}")
    try:
        Consumer(source, stopping).run()
    except SourceRefused as error:
        raise CommandError(f"The broker refuses: {error}") from error


def make_source(options: dict[str, Any]) -> Source:
    """The source of the setting, the environment and these options; raises Misused."""
    if not isinstance(settings.BROKER, dict):
        raise Misused(f"DJANGO_JOBS['BROKER'] is {settings.BROKER!r:.100}; it must be a dictionary")
    given = {**settings.BROKER, **({"url": os.environ[URL]} if os.environ.get(URL) else {}), **options}
    path = given.pop("source", RABBITMQ)
    try:
        source: Source = import_string(path)(**given)
    except ImportError as error:
        hint = "; pip install 'django-durable-jobs[amqp]'" if path == RABBITMQ else ""
        raise Misused(f"The source {path} cannot be imported: {error}{hint}") from error
    except (TypeError, ValueError) as error:
        raise Misused(f"DJANGO_JOBS['BROKER'] does not fit {path}: {error}") from error
    return source
