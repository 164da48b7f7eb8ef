"""`jobs import crontab`: what is carried over, what is said of the rest, and that no shell is ever asked."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from django_jobs.contrib.commands import CommandNotAllowed, run_command
from django_jobs.importers import Found
from django_jobs.importers.crontab import read
from django_jobs.management.exits import Failed, Misused
from django_jobs.models import RecurringJob
from django_jobs.testing import run_job
from tests.test_importing_schedulers import imported
from tests.test_jobs_command import jobs

pytestmark = pytest.mark.django_db

ALLOWED = {"COMMANDS": ["clearsessions", "check", "send_mail", "showmigrations"]}
CRONTAB = """\
# m h dom mon dow command
SHELL=/bin/bash
MAILTO="ops@example.com"

# Forget sessions
# that are over
30 2 * * *  cd /srv/site && /srv/venv/bin/python3.11 manage.py clearsessions >> /var/log/sessions.log 2>&1
CRON_TZ=Asia/Kolkata
0 */6 * * mon-fri /srv/site/manage.py check --deploy
*/5 * * * * flock -n /tmp/lock nice -n 10 python -m django send_mail --to "a b" > /dev/null
@daily python manage.py clearsessions
@reboot python manage.py runjobs
0 0 * * * /usr/bin/backup.sh
0 0 * * * python manage.py send_mail | tee /tmp/log
0 0 * * * python manage.py send_mail %Dear all%%good bye
0 25 * * * python manage.py clearsessions
0 0 * * * python manage.py flush --no-input
nonsense
"""


@pytest.fixture(autouse=True)
def some_commands_are_allowed() -> Any:
    with override_settings(DJANGO_JOBS=ALLOWED):
        yield


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_text(CRONTAB)
    return path


def test_a_dry_run_tells_everything_and_stores_nothing(crontab: Path) -> None:
    out = StringIO()
    arguments = ["import", "crontab", str(crontab), "--dry-run", "--time-zone", "Europe/Berlin"]
    with pytest.raises(Failed, match="7 of 11 could not be carried over"):
        call_command("jobs", *arguments, stdout=out, no_color=True)
    assert out.getvalue() == DRY_RUN
    assert not RecurringJob.objects.exists()


DRY_RUN = """\
clearsessions  line 7: 30 2 * * * (Europe/Berlin) runs clearsessions
        · SHELL was set above it; it will have the environment of `runjobs`
        · its output was mailed to ops@example.com; it will be in the job's console, and failures in the admin
        · its output went to /var/log/sessions.log; it will be in the job's console
check  line 9: 0 */6 * * mon-fri (Asia/Kolkata) runs check --deploy
        · SHELL was set above it; it will have the environment of `runjobs`
        · its output was mailed to ops@example.com; it will be in the job's console, and failures in the admin
send_mail  line 10: */5 * * * * (Asia/Kolkata) runs send_mail --to a b
        · SHELL was set above it; it will have the environment of `runjobs`
        · its output was mailed to ops@example.com; it will be in the job's console, and failures in the admin
        · its output went to /dev/null; it will be in the job's console
        · flock kept it from running twice; overlap="skip" does
        · nice is left out
clearsessions-2  line 11: @daily (Asia/Kolkata) runs clearsessions
        · SHELL was set above it; it will have the environment of `runjobs`
        · its output was mailed to ops@example.com; it will be in the job's console, and failures in the admin
not carried over  line 12: @reboot python manage.py runjobs
        → @reboot is no time: let what starts `runjobs` start it, or enqueue it in your deploy
not carried over  line 13: 0 0 * * * /usr/bin/backup.sh
        → runs no management command; make it a job type, and give that a timetable with @recurring
not carried over  line 14: 0 0 * * * python manage.py send_mail | tee /tmp/log
        → needs a shell for '|'; make it a job type, and give that a timetable with @recurring
not carried over  line 15: 0 0 * * * python manage.py send_mail %Dear all%%good bye
        → feeds the text after % to its command's standard input; pass it as an argument instead
not carried over  line 16: 0 25 * * * python manage.py clearsessions
        → cron: hour: 25 is not between 0 and 23
not carried over  line 17: 0 0 * * * python manage.py flush --no-input
        → runs flush, which DJANGO_JOBS['COMMANDS'] does not allow; add it there if it may run
not carried over  line 18: nonsense
        → is no line of a crontab: give five fields, or @daily and the like, and a command
4 of 11 would be stored, 7 not carried over
"""


def test_an_import_stores_the_same_and_twice_doubles_nothing(crontab: Path) -> None:
    for _ in range(2):
        facts = imported("crontab", crontab, "--prefix", "old-", "--queue", "low-priority", "--time-zone", "UTC")
    rows = {row.pk: row for row in RecurringJob.objects.all()}
    assert sorted(rows) == ["old-check", "old-clearsessions", "old-clearsessions-2", "old-send_mail"]
    assert [fact["problem"] != "" for fact in facts] == [False] * 4 + [True] * 7
    first, mail = rows["old-clearsessions"], rows["old-send_mail"]
    assert (first.description, first.time_zone, first.queue) == ("Forget sessions that are over", "UTC", "low-priority")
    assert (first.job_type, first.args, first.source) == ("django_jobs.command", ["clearsessions"], "admin")
    assert (mail.args, mail.overlap, mail.time_zone) == (["send_mail", "--to", "a b"], "skip", "Asia/Kolkata")


def test_the_users_column_of_the_systems_crontab_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "17 * * * *\tdeploy\tcd / && python3 manage.py check\n18 * * * * check\n"
    monkeypatch.setattr("sys.stdin", StringIO(line))
    first, second = imported("crontab", "-", "--system", "--dry-run")
    assert first["args"] == ["check"]
    assert first["notes"] == ["ran as deploy; it will run as the user of `runjobs`"]
    assert second["problem"] == "has no user before its command; leave out --system for a user's own crontab"


def one(line: str) -> Found:
    (entry,) = read(line, system=False, time_zone="UTC")
    return entry


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("manage.py check", ["check"]),
        ("./manage.py check", ["check"]),
        ("django-admin check --tag a", ["check", "--tag", "a"]),
        ("exec python -u manage.py check", ["check"]),
        ("flock -w 5 /tmp/l python manage.py check &> /dev/null", ["check"]),
        (r"python manage.py check 100\%", ["check", "100%"]),
        ("python manage.py check 'a;b' 2", ["check", "a;b", "2"]),
        ("python manage.py check > log", ["check"]),
    ],
)
def test_ways_of_writing_a_management_command(command: str, arguments: list[str]) -> None:
    entry = one(f"* * * * * {command}")
    assert (entry.problem, entry.terms["args"]) == ("", arguments)


@pytest.mark.parametrize(
    "command",
    [
        "python manage.py check; rm -rf /",
        "python manage.py check && echo done",
        "python manage.py check `date`",
        "python manage.py check $(date)",
        "python manage.py check $HOME",
        "python manage.py check < input",
        "python manage.py check &",
        "python manage.py check 'open",
        "FOO=1 python manage.py check",
        "sh -c 'python manage.py check'",
        "python other.py check",
        "python -c 'import os'",
        "python manage.py",
    ],
)
def test_what_would_need_a_shell_is_never_carried_over(command: str) -> None:
    entry = one(f"* * * * * {command}")
    assert entry.problem
    assert not entry.id


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("missing", "binary"):
        with pytest.raises(Misused, match=f"{name} cannot be read"):
            jobs("import", "crontab", tmp_path / name)


@pytest.mark.django_db(transaction=True)
def test_an_allowed_command_runs_and_its_output_is_in_the_console() -> None:
    job = run_job(run_command.enqueue("showmigrations", "django_jobs", "--plan"))
    assert job.state == "succeeded"
    from django_jobs import monitoring

    lines = [line.text for line in monitoring.console(job.pk, limit=100)]
    assert "[X]  django_jobs.0001_initial" in lines


@override_settings(DJANGO_JOBS={"COMMANDS": "flush_cache"})
def test_a_text_in_place_of_a_list_allows_nothing() -> None:
    with pytest.raises(CommandNotAllowed, match="'flush'"):
        run_job(run_command.enqueue("flush"))


def test_no_other_command_ever_runs() -> None:
    with pytest.raises(CommandNotAllowed, match="'flush' is not one of"):
        run_job(run_command.enqueue("flush", "--no-input"))


@override_settings(DJANGO_JOBS={"COMMANDS": ["jobs"], "RETRY": None})
def test_a_command_that_fails_fails_its_job() -> None:
    job = run_job(run_command.enqueue("jobs", "show", "999999"), raises=False)
    assert (job.state, job.state_reason) == (
        "failed",
        "django_jobs.management.exits.Failed: There is no job 999999",
    )
