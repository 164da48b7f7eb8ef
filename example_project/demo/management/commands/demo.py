"""``manage.py demo``: all of the example with one command; ``demo --check`` tries every kind of job and ends."""

from __future__ import annotations

import os
import sys
import tempfile
from collections import deque
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from example_project import services
from example_project.demo import banner, ports
from example_project.demo.crew import Child, ChildEnded, Crew, Sink, StopAsked, TooLong

ROOT = Path(__file__).resolve().parents[4]
MANAGE = [sys.executable, str(ROOT / "manage.py")]
GRACE = 10
"""Seconds that running jobs get to end."""
START = 60
"""Seconds within which each part must have started."""
WEIGHTS = "critical:3,default:2,low-priority:2"
"""How the server that is checked takes its queues."""
CHECKS = 120
"""Seconds that all checks together may take."""


class Command(BaseCommand):
    help = (
        "Start the example: admin, workers, scheduler, a stream of sample jobs, and an embedded Valkey unless "
        "REDIS_URL names a Redis. Ctrl-C stops all of it."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        environment = os.environ.get
        parser.add_argument(
            "--check", action="store_true", help="try every kind of job without a web server, print a table"
        )
        parser.add_argument(
            "--host", default=environment("DEMO_HOST", "127.0.0.1"), help="DEMO_HOST; default 127.0.0.1"
        )
        parser.add_argument(
            "--port", type=int, default=environment("DEMO_PORT", "8000"), help="DEMO_PORT; default 8000"
        )
        parser.add_argument(
            "--workers", default=environment("DEMO_WORKERS", "2"), help="worker processes (DEMO_WORKERS)"
        )
        parser.add_argument(
            "--every", default=environment("DEMO_EVERY", "1"), help="seconds between two sample events (DEMO_EVERY)"
        )

    def handle(self, **options: Any) -> None:
        self.crew = Crew(patience=GRACE + 5)
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self.environment = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "WEB_HOST": options["host"]}
        try:
            with tempfile.TemporaryDirectory(prefix="demo-", ignore_cleanup_errors=True) as folder:
                self.folder = folder
                status = self._check(options) if options["check"] else self._demo(options)
        except ChildEnded as error:
            self.stderr.write(f"{error}; the demo ends.")
            status = 1
        except TooLong:
            self.stderr.write("That took too long; the demo ends.")
            status = 1
        except StopAsked:
            status = 130 if options["check"] else 0
        sys.exit(status)

    def _demo(self, options: dict[str, Any]) -> int:
        """Run until asked to stop; that is the way in which a demo ends well."""
        complete = os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")
        try:
            with nullcontext() if complete else services.place("demo") as place, self.crew:
                port = self._port(options["host"], options["port"])
                self._say("Starting …")
                self._start_services("--users", "--schedules")
                banner.write_place(place, self.environment, options["host"], port)
                self._start_jobs(options["workers"], self._sink("jobs"), "--grace", str(GRACE))
                self._start_web(options["host"], port)
                self._start("producer", *MANAGE, "produce", "--every", options["every"])
                self._say(banner.text(self.environment, options["host"], port))
                self._watch(options["workers"])
        except services.AlreadyRunning as error:
            where = error.facts.get("address", "another address")
            raise CommandError(
                f"A demo runs already, at {where}. Stop it, or set DEMO_FOLDER to another folder."
            ) from None
        return 0

    def _watch(self, workers: str) -> None:
        """Until asked to stop. A server that was stopped in the dashboard is started again, as systemd would."""
        while True:
            try:
                self.crew.watch(lambda: False)
            except ChildEnded as error:
                if error.child.name != "jobs" or error.child.process.returncode != 0:
                    raise
                self.crew.let_go(error.child)
                self._say("The server was stopped; another one is started.")
                self._start_jobs(workers, self._sink("jobs"), "--grace", str(GRACE))

    def _check(self, options: dict[str, Any]) -> int:
        """Exit status of the checks. Without DATABASE_URL they get a new SQLite file."""
        log: deque[str] = deque(maxlen=500)
        with self.crew:
            self.environment.setdefault("DATABASE_URL", f"sqlite:///{self.folder}/check.sqlite3")
            self._start_services()
            name = f"demo-check-{os.getpid()}"
            terms = ("--name", name, "--queues", WEIGHTS, "--grace", "2", "--sweep-interval", "2")
            self._start_jobs(options["workers"], log.append, *terms)
            checks = self._start("", *MANAGE, "demo_checks", "--server", name)
            try:
                failed = self.crew.wait_for(checks, CHECKS) != 0
            except (ChildEnded, TooLong):
                self._say_what_happened(log)
                raise
        if failed:
            self._say_what_happened(log)
        return int(failed)

    def _say_what_happened(self, log: Iterable[str]) -> None:
        self._say("\nWhat the server wrote:\n" + "\n".join(log))

    def _start_services(self, *setup: str) -> None:
        if not self.environment.get("REDIS_URL"):
            self._start_valkey()
        child = self._start("setup", *MANAGE, "demo_setup", *setup)
        if self.crew.wait_for(child, START):
            raise ChildEnded(child)

    def _start_valkey(self) -> None:
        address: list[str] = []
        self._start("valkey", sys.executable, "-m", "example_project.demo.broker", self.folder, sink=address.append)
        self.crew.watch(lambda: bool(address), START)
        self.environment["REDIS_URL"] = address[0]

    def _start_jobs(self, workers: str, sink: Sink, *arguments: str) -> None:
        self._start("jobs", *MANAGE, "runjobs", "--processes", workers, *arguments, sink=sink)

    def _start_web(self, host: str, port: int) -> None:
        self._start("web", *MANAGE, "serve", "--port", str(port))
        self.crew.watch(lambda: ports.answers(banner.reachable(host), port), START)

    def _port(self, host: str, wanted: int) -> int:
        try:
            port = ports.first_free(host, wanted)
        except (OSError, OverflowError) as error:
            raise CommandError(f"Cannot listen on {host}, port {wanted}: {error}") from None
        if port != wanted:
            self._say(f"Port {wanted} is in use; taking {port}.")
        return port

    def _start(self, name: str, *command: str, sink: Sink | None = None) -> Child:
        return self.crew.start(name, command, self.environment, sink or self._sink(name))

    def _sink(self, name: str) -> Sink:
        prefix = f"{name:8} | " if name else ""
        return lambda line: self._say(prefix + line)

    def _say(self, text: str) -> None:
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except BrokenPipeError:  # nobody reads any more, as after `| head`
            self.crew.ask_to_stop()
