"""``manage.py runjobs``: a server of worker processes and a scheduler."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import zlib
from datetime import timedelta
from typing import Any

import psutil
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError

from ... import clock, queues
from ...conf import process_count, settings, thread_count
from ...exceptions import JobsError
from ...models import Server
from ...registry import registry
from ...server import logs
from ...server.lists import parse
from ...server.process import ServerOptions
from ...server.reload import run_reloading
from ...server.supervisor import Supervisor
from ..inputs import interval, megabytes, port, seconds, whole

INTERVALS = {
    "poll-interval": "seconds between two looks for delayed jobs that came due",
    "heartbeat-interval": "seconds between two signs of life",
    "server-timeout": "seconds without a sign of life after which a server counts as dead",
    "leader-timeout": "seconds without renewal after which another server may lead",
    "sweep-interval": "seconds between two searches for jobs whose bell in Redis was lost",
    "cleanup-interval": "seconds between two rounds that delete expired jobs",
    "counter-interval": "seconds between two foldings of the counters",
    "ack-window": "seconds that a finished job may wait to be recorded; a crash repeats what it did not record",
}


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def processes(text: str) -> int:
    try:
        return process_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def threads(text: str | int) -> int:
    try:
        return thread_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


LONGEST_NAME = 130
"""Of a server: those of its workers have a few characters more."""
INTERVAL_TYPES = {"ack-window": seconds}
"""Options that may be 0: without a window, every run is recorded by itself."""


class Command(BaseCommand):
    help = (
        "Run background jobs: worker processes, and a scheduler that enqueues delayed jobs and watches the servers. "
        "SIGTERM or Ctrl-C lets running jobs end; a second signal ends at once and puts them back."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        self._add_work(parser)
        self._add_limits(parser)
        for name, meaning in INTERVALS.items():
            key = name.replace("-", "_").upper()
            parser.add_argument(
                f"--{name}", type=INTERVAL_TYPES.get(name, interval), metavar="S", help=f"{meaning} (setting {key})"
            )
        parser.add_argument("--migrate", action="store_true", help="run manage.py migrate first")
        parser.add_argument(
            "--reload", action="store_true", help="start again when a source file changes; for development"
        )
        parser.add_argument(
            "--log-format", choices=["text", "json"], default="text", help="lines for people or for machines"
        )
        parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
        parser.add_argument(
            "--health-port", type=port, metavar="PORT", help="answer health probes by HTTP on this port"
        )

    def _add_work(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--queues",
            type=listed,
            metavar="A,B",
            help="queues to take, in strict order, or by weight: a:4,b:1 (setting QUEUES)",
        )
        parser.add_argument("--types", type=listed, metavar="A,B", help="take only jobs of these types; default all")
        parser.add_argument(
            "--processes", type=processes, metavar="N", help='worker processes: "auto", a number, or "5x" the CPUs'
        )
        parser.add_argument(
            "--threads", type=threads, metavar="N", help="jobs that each process runs at a time (setting THREADS)"
        )
        parser.add_argument("--name", help="name of this server, unique among those that run (setting SERVER_NAME)")
        parser.add_argument(
            "--no-scheduler", action="store_true", help="only workers; another server must have a scheduler"
        )
        parser.add_argument("--burst", action="store_true", help="end when the queues are empty; without a scheduler")

    def _add_limits(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--batch",
            type=whole("batch size", 1),
            metavar="N",
            help="most jobs that a worker claims in one statement (setting BATCH)",
        )
        parser.add_argument(
            "--grace", type=seconds, metavar="S", help="seconds that running jobs get to end (setting GRACE)"
        )
        jobs = whole("number of jobs", 1)
        parser.add_argument("--max-jobs", type=jobs, metavar="N", help="replace a worker process after so many jobs")
        parser.add_argument(
            "--max-memory", type=megabytes, metavar="MB", help="replace a worker process that grew over this"
        )

    def handle(self, **options: Any) -> None:
        logs.configure(options["log_format"], options["log_level"])
        if options["reload"]:
            sys.exit(run_reloading())
        given = {name.replace("-", "_") for name in [*INTERVALS, "batch"]}
        settings.override(**{name.upper(): options[name] for name in given if options[name] is not None})
        if options["migrate"]:
            call_command("migrate", interactive=False, verbosity=options["verbosity"])
        try:
            server = self._server_options(options)
            self._refuse_double(server.name)
            Supervisor(server, options["health_port"]).run()
        except DatabaseError as error:
            hint = "is it there, and were the migrations run (runjobs --migrate)?"
            raise CommandError(
                f"The database {settings.DATABASE!r} cannot be used ({str(error).strip()}); {hint}"
            ) from error

    def _server_options(self, options: dict[str, Any]) -> ServerOptions:
        types = self._types(options["types"])
        names, weights = self._queues(options["queues"] or settings.QUEUES)
        count = options["processes"]
        name = str(options["name"] or settings.SERVER_NAME or f"{socket.gethostname()}:{os.getpid()}")
        if len(name) > LONGEST_NAME:
            raise CommandError(f"--name: {name!r} has {len(name)} characters; at most {LONGEST_NAME} can be stored")
        return ServerOptions(
            name=name,
            queues=names,
            weights=weights,
            types=types,
            # Servers with the same types share an address; during a deploy, old and new code have different ones.
            address=f"{settings.APPLICATION}.{zlib.crc32(repr(types).encode()):08x}",
            processes=process_count(settings.PROCESSES) if count is None else count,
            threads=options["threads"] or thread_count(settings.THREADS),
            scheduler=not (options["no_scheduler"] or options["burst"]),
            grace=settings.GRACE if options["grace"] is None else options["grace"],
            max_jobs=options["max_jobs"],
            max_memory=options["max_memory"] and int(options["max_memory"] * 2**20),
            burst=options["burst"],
        )

    def _queues(self, entries: list[str]) -> tuple[list[str], dict[str, float]]:
        known = queues.names()
        if not known:
            raise CommandError("There are no queues: the setting RQ_QUEUES is empty")
        try:
            names, weights = parse(entries)
        except ValueError as error:
            raise CommandError(f"--queues: {error}") from None
        if strange := [name for name in names if name not in known]:
            raise CommandError(f"--queues: no queue is named {', '.join(strange)}; RQ_QUEUES has {', '.join(known)}")
        return names, weights

    def _types(self, names: list[str] | None) -> list[str]:
        if not names:
            return registry.names()
        try:
            types = [registry.get(name) for name in names]
        except JobsError as error:
            raise CommandError(f"--types: {error}") from None
        return sorted({name for job_type in types for name in (job_type.name, *job_type.aliases)})

    def _refuse_double(self, name: str) -> None:
        """Two servers of one name would write one row."""
        fresh = clock.now() - timedelta(seconds=settings.SERVER_TIMEOUT)
        rows = Server.objects.using(settings.DATABASE).filter(name=name, heartbeat_at__gt=fresh)
        row = rows.first()
        if row is not None and not self._gone(row):
            raise CommandError(
                f"A server named {name!r} runs already (pid {row.pid} on {row.host}); give another --name"
            )

    @staticmethod
    def _gone(row: Server) -> bool:
        """Whether the process of that row has ended: its number is free, a zombie's, our own, or a younger one's."""
        if row.host != socket.gethostname():
            return False
        if row.pid == os.getpid():  # in a container every start has the same number
            return True
        try:
            process = psutil.Process(row.pid)
            return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > row.started_at.timestamp() + 1
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
