"""The pages for operators: their units are accepted, their numbers fit together, what they name is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import load_command_class

from benchmarks import chaos
from django_jobs import doctor

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = (ROOT / "docs/how-to/deploy.md").read_text()
TROUBLESHOOTING = (ROOT / "docs/how-to/troubleshooting.md").read_text()
FAILURES = (ROOT / "docs/internals/failures.md").read_text()


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DEPLOY, re.MULTILINE | re.DOTALL)


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found, f"no {pattern}"
    return int(found[1])


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (fences("ini")[0], r"TimeoutStopSec=(\d+)"),
        (fences("yaml")[0], r"terminationGracePeriodSeconds: (\d+)"),
        (fences("yaml")[1], r"stop_grace_period: (\d+)s"),
    ],
    ids=["systemd", "kubernetes", "compose"],
)
def test_whoever_stops_a_server_waits_longer_than_its_grace(text: str, wait: str) -> None:
    assert number(wait, text) >= number(r'--grace(?:=|", "| )(\d+)', text) + 10


def test_the_options_in_the_units_are_those_of_runjobs() -> None:
    parser = load_command_class("django_jobs", "runjobs").create_parser("manage.py", "runjobs")
    known = {option for action in parser._actions for option in action.option_strings}
    units = "".join(fences("ini") + fences("yaml") + fences("text"))
    used = set(re.findall(r"--[a-z-]+", units))
    assert "--health-port" in used
    assert used <= known


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "mysite-jobs.service"
    unit.write_text(fences("ini")[0].replace("/srv/mysite/venv/bin/python", "/bin/sh"))
    told = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in told.stderr.splitlines() if unit.name in line] == []


def test_every_finding_of_the_doctor_is_in_troubleshooting() -> None:
    pattern = r'(?:Finding\(\s*(?:level|"\w+"), |subject = )f?"([A-Z][\w ]*\w)'
    written = "".join(path.read_text() for path in Path(doctor.__file__).parent.glob("*.py"))
    subjects = set(re.findall(pattern, written))
    assert {"Servers", "Redis of", "Job type", "Clock"} <= subjects
    assert [subject for subject in sorted(subjects) if f"**{subject}" not in TROUBLESHOOTING] == []


def test_every_test_that_is_named_as_a_proof_exists() -> None:
    written = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {f"test_{claim.replace(' ', '_')}" for claim in re.findall(r"\*([a-z][\w ]+)\*", FAILURES)}
    named |= set(re.findall(r"`(test_\w+)`", FAILURES))
    assert len(named) > 40
    assert sorted(named - written) == []


def test_every_trouble_of_the_rehearsal_that_is_named_exists() -> None:
    troubles = {trouble for line in re.findall(r"chaos: ([`\w, ]+)", FAILURES) for trouble in re.findall(r"\w+", line)}
    assert "flush" in troubles
    assert [trouble for trouble in sorted(troubles) if not hasattr(chaos.Chaos, trouble)] == []
