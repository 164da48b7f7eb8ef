"""A site that keeps the job tables in a database of their own."""

from __future__ import annotations

import os
from pathlib import Path

from tests.settings import *  # noqa: F403

_folder = Path(os.environ["TWO_DATABASES_FOLDER"])
DATABASES = {
    name: {"ENGINE": "django.db.backends.sqlite3", "NAME": _folder / f"{name}.sqlite3"} for name in ("default", "jobs")
}
DATABASE_ROUTERS = ["django_jobs.routers.JobsRouter"]
DJANGO_JOBS = {"DATABASE": "jobs"}
