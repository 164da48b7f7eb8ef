"""What holds for every verb of `manage.py jobs`: exit statuses, JSON, refusals, tables that fit, completion."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from django_jobs import Batch, client, states
from django_jobs.management import tables
from django_jobs.management.exits import Exit
from django_jobs.management.verbs import VERBS
from django_jobs.models import RecurringJob
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import failed, fresh, in_state, server
from tests.test_jobs_command import jobs, jobs_json

pytestmark = pytest.mark.django_db
BASH = shutil.which("bash")


def status(*arguments: object) -> int:
    """The exit status, by which error came."""
    try:
        jobs(*arguments)
    except CommandError as error:
        return error.returncode
    return Exit.DONE


# Exit statuses


@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["schedules"], ["batches"], ["servers"]])
def test_an_empty_list_exits_with_1(arguments: list[str]) -> None:
    assert status(*arguments) == Exit.NOT_DONE


def test_lists_with_a_line_exit_with_0() -> None:
    Batch.start("one", [succeeds.bind()])
    RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="0 2 * * *")
    server("s")
    for verb in ("list", "schedules", "batches", "servers", "queues", "stats", "groups"):
        assert status(verb) == Exit.DONE, verb


def test_an_empty_list_is_json_all_the_same() -> None:
    out, err = StringIO(), StringIO()
    with pytest.raises(CommandError, match="No jobs match"):
        call_command("jobs", "list", "--json", stdout=out, stderr=err)
    assert json.loads(out.getvalue()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["enqueue", "tests.suceeds"], "did you mean 'tests.succeeds'"),
        (["enqueue", "tests.succeeds", "--queue", "nowhere"], "no queue is named 'nowhere'"),
        (["enqueue", "tests.succeeds", "--wait", "-1"], "no number of seconds"),
        (["enqueue", "tests.succeeds", "--wait", "nan"], "no number of seconds"),
        (["list", "--arg", "invoice"], "not of the form KEY=VALUE"),
        (["list", "--metadata", "=7"], "not of the form KEY=VALUE"),
        (["list", "--state", "done"], "invalid choice: 'done'"),
        (["console", "1", "--run", "0"], "'0' is no run"),
        (["stats", "--hours", "0"], "'0' is no number of hours"),
        (["schedules", "--next", "-1"], "'-1' is no number of runs"),
        (["schedules", "enable"], "takes the id of a recurring job"),
        (["batches", "cancel"], "takes the number of a batch"),
        (["batches", "--limit", "x"], "'x' is no number of batches"),
        (["servers", "stop"], "takes the name of a server"),
        (["queues", "pause"], "takes the name of a queue"),
        (["queues", "pause", "critcal"], "did you mean 'critical'"),
        (["queues", "pause", "critical", "--for", "-1"], "no number of seconds"),
        (["queues", "pause", "critical", "--rate-limit", "1/m"], "pause does not take --rate-limit"),
        (["queues", "resume", "critical", "--for", "5"], "resume does not take --for"),
        (["cancel"], "Name jobs by their ids, or choose them"),
        (["cancel", "1", "--queue", "critical"], "not both"),
        (["retry", "--state", "succeeded"], "succeeded jobs cannot be retried; that is possible from failed"),
        (["cancel", "x"], "invalid int value: 'x'"),
        (["completion", "zsh"], "invalid choice: 'zsh'"),
        (["burn"], "invalid choice: 'burn'"),
    ],
)
def test_wrong_usage_is_told_and_exits_with_2(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError) as caught:
        jobs(*arguments)
    assert message in str(caught.value)
    # What argparse refuses it exits with by itself, where the command is called from a shell.
    from_argparse = str(caught.value).startswith("Error: ")
    assert caught.value.returncode == (1 if from_argparse else Exit.MISUSED)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "1"],
        ["console", "1"],
        ["cancel", "1"],
        ["trigger", "nowhere"],
        ["schedules", "enable", "nowhere"],
        ["batches", "cancel", "1"],
        ["servers", "stop", "nowhere"],
        ["servers", "stop", "all"],
        ["retry", "--type", "tests.fails"],
    ],
)
def test_what_is_not_there_exits_with_1(arguments: list[str]) -> None:
    assert status(*arguments) == Exit.NOT_DONE


@pytest.mark.once
def test_a_shell_sees_the_statuses(server_environment: dict[str, str]) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "django", "jobs", *arguments]
        done = subprocess.run(command, env=server_environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, told = run("queues", "pause", "critcal")
    assert (code, "did you mean" in told, "Traceback" in told) == (Exit.MISUSED, True, False)
    assert run("list", "--limit", "-1")[0] == Exit.MISUSED
    assert run("list", "--state", "failed")[0] == Exit.NOT_DONE
    server_environment["LANE_DATABASE_URL"] = "sqlite:////nowhere/at/all.sqlite3"
    server_environment.pop("LANE_DATABASE_NAME")
    assert run("list")[0] == Exit.NO_DATABASE


# JSON


def test_every_verb_takes_json_and_writes_it() -> None:
    batch = Batch.start("one", [succeeds.bind()])
    RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="0 2 * * *")
    server("s")
    groups = ["groups", "restore"]
    queues = [["queues", *rest] for rest in ([], ["pause", "critical"], ["resume", "critical"], ["purge", "critical"])]
    queues.append(["queues", "limit", "critical", "--max-concurrency", "3"])
    calls: list[list[object]] = [
        ["list"],
        *[[verb, in_state(state).pk] for verb, state in ACTS.items()],
        *[["show", fresh_id()], ["console", fresh_id()], ["enqueue", "tests.succeeds"], ["stats"], *queues],
        *[["servers"], ["servers", "quiet", "s"], ["schedules"], ["schedules", "disable", "nightly"], ["sync"]],
        *[["trigger", "nightly"], ["batches"], ["batches", "cancel", batch.pk], ["cleanup"], ["cleanup", "--dry-run"]],
        *[["groups"], groups, ["completion", "QUEUE"]],
    ]
    for arguments in calls:
        assert isinstance(jobs_json(*arguments), dict | list), arguments
    assert {str(arguments[0]) for arguments in calls} | {"doctor"} >= set(VERBS) - {"import", "consume"}


ACTS = {
    "cancel": states.ENQUEUED,
    "pause": states.SCHEDULED,
    "resume": states.PAUSED,
    "requeue": states.FAILED,
    "retry": states.FAILED,
    "delete": states.SUCCEEDED,
}


def fresh_id() -> int:
    return succeeds.enqueue().pk


# Jobs that are chosen


def test_jobs_are_chosen_by_options() -> None:
    wanted = adds.using(queue="critical", tags=["acme"]).enqueue(1, y=7)
    succeeds.using(tags=["acme", "other"]).enqueue()
    adds.enqueue(2, y=8)
    for options in (
        ["--tag", "acme", "--type", "tests.adds"],
        ["--arg", "y=7"],
        ["--arg", "0=1", "--tag", "acme"],
        ["--queue", "critical"],
    ):
        assert [row["id"] for row in jobs_json("list", *options)] == [wanted.pk], options
    assert status("list", "--user", "ada") == Exit.NOT_DONE


def test_a_set_of_jobs_is_moved_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from django_jobs.management.verbs import acting

    monkeypatch.setattr(acting, "PAGE", 2)
    mine = adds.using(queue="critical").enqueue_many([(number, 1) for number in range(5)])
    other, running = adds.enqueue(1, 1), in_state(states.PROCESSING)
    assert jobs("cancel", "--queue", "critical", "--dry-run") == "5 job(s) would be cancelled\n"
    assert {fresh(job).state for job in mine} == {states.ENQUEUED}
    assert jobs("cancel", "--queue", "critical") == "5 of 5 job(s) cancelled\n"
    assert {fresh(job).state for job in mine} == {states.DELETED}
    assert (fresh(other).state, fresh(running).state) == (states.ENQUEUED, states.PROCESSING)
    with pytest.raises(CommandError, match="No jobs match"):
        jobs("cancel", "--queue", "critical")


def test_retry_takes_failed_jobs_alone() -> None:
    broken, done = failed(), in_state(states.SUCCEEDED)
    told = []
    with pytest.raises(CommandError, match=f"Not retried: #{done.pk} .* possible from failed"):
        told.append(jobs("retry", broken.pk, done.pk))
    assert (fresh(broken).state, fresh(done).state) == (states.ENQUEUED, states.SUCCEEDED)
    again = failed()
    assert jobs_json("retry", "--type", "tests.fails") == {"asked": 1, "moved": [again.pk]}
    assert client.requeue([done.pk], expected={states.FAILED}) == []


def test_named_jobs_are_counted_without_being_moved() -> None:
    job = succeeds.enqueue()
    assert jobs("cancel", job.pk, job.pk, "--dry-run") == "1 of 1 job(s) would be cancelled\n"
    assert fresh(job).state == states.ENQUEUED


# Tables


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def on_a_terminal(columns: int, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    out = Terminal()
    call_command("jobs", *arguments, stdout=out, no_color=True)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_a_table_fits_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    adds.enqueue("x" * 300, "東京" * 100)
    succeeds.enqueue("e\u0301" * 200)
    lines = on_a_terminal(columns, monkeypatch, "list")
    assert len(lines) == 3
    assert all(tables.wide(line) <= columns for line in lines)
    if columns >= 80:
        assert all("enqueued" in line and "tests." in line for line in lines[1:])
    assert any("…" in line for line in lines[1:])


def test_a_table_in_a_file_is_written_in_full() -> None:
    adds.enqueue("x" * 150, 1)
    assert "x" * 150 in jobs("list")


def test_nothing_that_a_job_brings_steers_the_terminal() -> None:
    job = failed("\x1b[2J", traceback="Traceback\n\x1b]0;owned\x07", reason="ValueError: \x1b[31m")
    for arguments in (["list"], ["show", job.pk]):
        assert "\x1b" not in jobs(*arguments)
        assert "\ufffd" in jobs(*arguments)


@pytest.mark.parametrize(
    ("text", "width", "expected"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("東京", 3, "東…"), ("東京", 4, "東京")]
)
def test_a_text_is_cut_by_columns(text: str, width: int, expected: str) -> None:
    assert tables.cut(text, width) == expected


# Completion


@pytest.fixture
def completed(server_environment: dict[str, str], tmp_path: Path) -> Any:
    """What bash offers after these words."""
    if BASH is None:
        pytest.skip("no bash on this machine")
    script = tmp_path / "completion.bash"
    script.write_text(jobs("completion", "bash"))

    def offered(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        source = f'. "{script}"; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _django_jobs; '
        source += 'printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run([BASH, "-c", source], env=server_environment, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    return offered


@pytest.mark.once
def test_bash_completes_verbs_options_and_names(completed: Any) -> None:
    assert completed("manage.py", "jobs", "ca") == ["cancel"]
    assert completed("python", "manage.py", "jobs", "re") == ["resume", "requeue", "retry"]
    assert "--from-checkpoint" in completed("./manage.py", "jobs", "retry", "--f")
    assert completed("manage.py", "jobs", "list", "--state", "pro") == ["processing"]
    assert completed("manage.py", "jobs", "queues", "pu") == ["purge"]
    assert completed("manage.py", "migrate", "jo") == []
    django = [sys.executable, "-m", "django"]
    assert completed(*django, "jobs", "enqueue", "tests.suc") == ["tests.succeeds"]
    assert completed(*django, "jobs", "list", "--state", "failed", "--queue", "cr") == ["critical"]
    assert completed(*django, "jobs", "queues", "pause", "lo") == ["low-priority"]
    assert completed(*django, "jobs", "enqueue", "--priority", "5", "tests.adds") == ["tests.adds"]
    assert completed(*django, "jobs", "list", "--limit", "") == []


@pytest.mark.once
def test_the_tab_key_completes_in_a_real_terminal(tmp_path: Path) -> None:
    if BASH is None:
        pytest.skip("no bash on this machine")
    script = tmp_path / "completion.bash"
    script.write_text(jobs("completion", "bash"))
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(BASH, [BASH, "--norc", "--noprofile", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb"})
    try:
        os.write(terminal, f'. {script}; manage.py() {{ echo "<$*>"; }}\n'.encode())
        os.write(terminal, b"manage.py jobs cle\t--dry\t\n")
        seen = b""
        while b"<jobs cleanup --dry-run>" not in seen:
            seen += os.read(terminal, 4096)
    finally:
        os.close(terminal)
        os.kill(pid, 9)
        os.waitpid(pid, 0)
