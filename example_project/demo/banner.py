"""What the demo tells: to people on the screen, and to other commands in the file that marks its place."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from example_project.services import sqlite_url

TEXT = """
  django_jobs demo        {address}
  log in                  demo / demo; viewer, operator, admin: each with its name as password

  jobs                    {address}admin/django_jobs/job/
  job manager             {address}manager/  (a page of its own, on the REST API)
  servers                 {address}admin/django_jobs/server/
  RQ's own pages          {address}admin/django_rq/dashboard/
  the shop, and Dhanman   {address}admin/shop/   {address}admin/dhanman/
  REST API                {address}api/docs/  (log in first; the users' tokens are their names)

  on the command line     {python} manage.py jobs stats | list | show ID | enqueue TYPE VALUES
  database                {database}
  Redis                   {redis}

  Ctrl-C stops everything.
"""


def text(environment: Mapping[str, str], host: str, port: int) -> str:
    database = environment.get("DATABASE_URL") or sqlite_url("demo")
    names = {"database": without_password(database), "redis": without_password(environment["REDIS_URL"])}
    python = os.path.relpath(sys.executable) if sys.executable.startswith(os.getcwd()) else sys.executable
    return TEXT.format(address=address(host, port), python=python, **names)


def address(host: str, port: int) -> str:
    reached = reachable(host)
    return f"http://{f'[{reached}]' if ':' in reached else reached}:{port}/"


def reachable(host: str) -> str:
    """Where this machine reaches a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)


def without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


def write_place(place: Path | None, environment: Mapping[str, str], host: str, port: int) -> None:
    """Let other commands find the demo that runs."""
    if place is not None:
        place.write_text(json.dumps({"address": address(host, port), "redis": environment["REDIS_URL"]}))
