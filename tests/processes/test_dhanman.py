"""The handbook's services, with the example's own settings: a run of pytest in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests import services
from tests.servers import ROOT

pytestmark = [pytest.mark.processes, pytest.mark.once]


def test_the_services_of_the_handbook_keep_what_they_promise(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--ds=example_project.settings", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "no:schemathesis", "example_project/dhanman/tests.py"],
        cwd=ROOT,
        env={**environment, "REDIS_URL": services.redis_url(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= 49
