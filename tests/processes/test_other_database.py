"""The tables under another alias: they are there alone, jobs run, and a transaction on that alias holds the jobs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT

pytestmark = pytest.mark.processes

SCENARIO = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections, transaction
from django_jobs.models import Job
from tests.app.jobs import adds

for alias in ("default", "jobs"):
    call_command("migrate", database=alias, verbosity=0)
tables = {alias: connections[alias].introspection.table_names() for alias in ("default", "jobs")}
assert "django_jobs_job" in tables["jobs"] and "django_jobs_job" not in tables["default"], tables

user = get_user_model().objects.create_user("asha")
with transaction.atomic():                      # the site's own database: it does not hold the job
    kept = adds.using(created_by=user).enqueue(1, 2)
try:
    with transaction.atomic(using="jobs"):      # the jobs' database: it does
        adds.enqueue(3, 4)
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
assert list(Job.objects.values_list("pk", flat=True)) == [kept.pk]

call_command("runjobs", burst=True, processes=1)
ended = kept.wait(10)
assert ended.state == "succeeded" and ended.result == 3, ended.state
assert ended.created_by == user

user.delete()
ended.refresh_from_db()
assert (ended.created_by_id, ended.created_by_name) == (None, "asha")
call_command("check")
"""


def test_jobs_live_under_another_alias(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings_two_databases",
        "TWO_DATABASES_FOLDER": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", SCENARIO]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
