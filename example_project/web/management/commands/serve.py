"""``manage.py serve``: the web side alone. It runs no jobs; those are for ``manage.py runjobs``."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

APPLICATION = "example_project.asgi:application"
QUIET = ["--no-access-log", "--log-level", "warning", "--lifespan", "off", "--timeout-graceful-shutdown", "2"]


class Command(BaseCommand):
    help = "Serve admin, REST API and job manager by uvicorn; with a certificate by HTTPS. No job runs here."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        given = os.environ.get
        parser.add_argument("--host", default=given("WEB_HOST", "127.0.0.1"), help="WEB_HOST; default 127.0.0.1")
        parser.add_argument("--port", type=int, default=given("WEB_PORT", "8000"), help="WEB_PORT; default 8000")
        parser.add_argument("--certfile", default=given("WEB_CERTFILE", ""), help="WEB_CERTFILE: PEM file, for HTTPS")
        parser.add_argument("--keyfile", default=given("WEB_KEYFILE", ""), help="WEB_KEYFILE: PEM file of its key")

    def handle(self, **options: Any) -> None:
        """Become uvicorn, so that whoever started this speaks to it: signals, exit status."""
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            APPLICATION,
            "--host",
            options["host"],
            "--port",
            str(options["port"]),
        ]
        for name in ("certfile", "keyfile"):
            if path := options[name]:
                if not os.access(path, os.R_OK):
                    raise CommandError(f"--{name}: {path} is no file that can be read")
                command += [f"--ssl-{name}", path]
        scheme = "https" if options["certfile"] else "http"
        self.stdout.write(f"Serving at {scheme}://{options['host']}:{options['port']}/")
        self.stdout.flush()
        os.execve(sys.executable, [*command, *QUIET], {**os.environ, "WEB_HOST": options["host"]})
