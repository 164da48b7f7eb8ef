"""A site that keeps `manage.py rqscheduler`: its process does the duties of our scheduler, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from django_jobs.models import Job, RecurringJob, Server
from tests.app.jobs import adds
from tests.servers import RunJobs, eventually

pytestmark = [pytest.mark.processes, pytest.mark.once, pytest.mark.django_db(transaction=True)]

SETTINGS = """
from tests.settings import *
RQ = {**RQ, "SCHEDULER_CLASS": "django_jobs.contrib.rqscheduler.JobScheduler"}
INSTALLED_APPS = [*INSTALLED_APPS, *({"django_rq"} - set(INSTALLED_APPS))]
"""


def test_the_process_of_rq_scheduler_fires_recurring_and_delayed_jobs(
    runjobs: Callable[..., RunJobs], server_environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "kept_site.py").write_text(SETTINGS)
    paths = f"{server_environment['PYTHONPATH']}{os.pathsep}{tmp_path}"
    environment = {**server_environment, "PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "kept_site"}
    runjobs("--processes", "1", "--no-scheduler")
    with (tmp_path / "rqscheduler.log").open("wb") as log:
        command = [sys.executable, "-W", "ignore", "-m", "django", "rqscheduler", "--interval", "1"]
        theirs = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: Server.objects.filter(pid=theirs.pid, kind="scheduler").exists(), 60, "it is a scheduler")
        assert adds.schedule(timedelta(seconds=1), 1, 2).wait(30).result == 3
        RecurringJob.objects.add_or_update("kept", adds, cron="* * * * * *", args=[3, 4])
        eventually(lambda: Job.objects.filter(recurring_job="kept", state="succeeded").exists(), 30, "it was fired")
        Server.objects.filter(pid=theirs.pid).delete()  # as another leader does where it takes this process for dead
        eventually(lambda: Server.objects.filter(pid=theirs.pid, kind="scheduler").exists(), 60, "it is one again")
    finally:
        theirs.send_signal(signal.SIGTERM)
        theirs.wait()
    assert not Server.objects.filter(pid=theirs.pid).exists(), (tmp_path / "rqscheduler.log").read_text()
