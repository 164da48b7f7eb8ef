"""`jobs import` from other schedulers: each tested on what the real package stores."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rq_scheduler import Scheduler

from django_jobs import queues, schedules
from django_jobs.declared import Declaration, declarations
from django_jobs.management.exits import Exit, NothingFound
from django_jobs.models import RecurringJob
from django_jobs.queues.elsewhere import NotPlain, _plain
from tests.app.jobs import adds
from tests.servers import ROOT
from tests.test_jobs_command import jobs

OURS = adds.job_type.path
PYTHON_CRONTAB = """
import importlib.util, sys, sysconfig
spec = importlib.util.spec_from_file_location("crontab", sysconfig.get_path("purelib") + "/crontab.py")
sys.modules["crontab"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["crontab"])
"""
"""Two packages are called `crontab`: django-celery-beat's stands beside rq-scheduler's, and would not be found."""


QUIET = """
import os
from django.core.management.base import CommandError
def jobs_import(*arguments, **options):
    try:
        call_command("jobs", "import", *arguments, "--json", **options)
    except CommandError as error:
        assert error.returncode == 1, error
"""


def imported(*arguments: object) -> list[dict[str, Any]]:
    """What `jobs import … --json` tells; it exits with 1 if there is anything that it did not carry over."""
    out, status = StringIO(), 0
    try:
        call_command("jobs", "import", *map(str, arguments), "--json", stdout=out)
    except CommandError as error:
        status = error.returncode
    told: list[dict[str, Any]] = json.loads(out.getvalue())
    assert status == any(entry["problem"] for entry in told)
    return told


def site(tmp_path: Path, app: str, script: str) -> list[dict[str, Any]]:
    """What `jobs import … --json` tells on a site with that package, after the script has filled its tables."""
    (tmp_path / "a_site.py").write_text(
        "from tests.settings import *\n"
        f"INSTALLED_APPS = [*INSTALLED_APPS, {app!r}]\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n"
        "TIME_ZONE = 'Europe/Berlin'\n"
    )
    start = PYTHON_CRONTAB if app == "django_celery_beat" else ""
    start += "import django; django.setup()\nfrom django.core.management import call_command\n"
    start += "call_command('migrate', verbosity=0)\n" + QUIET
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + script],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "DJANGO_SETTINGS_MODULE": "a_site"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    found: list[dict[str, Any]] = json.loads(told.stdout)
    return found


CELERY_BEAT = f"""
from datetime import datetime, timedelta, timezone
from django_celery_beat.models import *
from django_jobs.models import RecurringJob
every = IntervalSchedule.objects.create(every=10, period="minutes")
odd = IntervalSchedule.objects.create(every=7, period="minutes")
night = CrontabSchedule.objects.create(
    minute="30", hour="2", day_of_month="1", month_of_year="*", day_of_week="mon", timezone="Asia/Kolkata"
)
clocked = ClockedSchedule.objects.create(clocked_time=datetime(2030, 1, 1, tzinfo=timezone.utc))
def add(name, task={OURS!r}, **terms):
    PeriodicTask.objects.create(name=name, task=task, **{{"args": "[1, 2]", **terms}})
add("a night", crontab=night, description="Adds", expire_seconds=60, queue="critical")
add("b often", interval=every, enabled=False, queue="elsewhere", priority=3)
add("c odd", interval=odd)
add("d once", clocked=clocked, one_off=True)
add("e unknown", task="shop.tasks.clean", interval=every)
add("f renamed", task="old.sum", interval=every, kwargs="{{}}")
add("g broken", interval=every, args="[1")
add("h/one", interval=every)
add("h-one", interval=every)
jobs_import("celery-beat", "--map", "old.sum=t.adds")
assert RecurringJob.objects.count() == 5
jobs_import("celery-beat", "--map", "old.sum=t.adds", stdout=open(os.devnull, "w"))
assert RecurringJob.objects.count() == 5
"""


@pytest.mark.once
@pytest.mark.skipif(not find_spec("django_celery_beat"), reason="django-celery-beat is not installed")
def test_the_rows_of_django_celery_beat_become_recurring_jobs(tmp_path: Path) -> None:
    told = site(tmp_path, "django_celery_beat", CELERY_BEAT.replace("t.adds", adds.name))
    found = {entry["text"].split(":")[0]: entry for entry in told}
    night = found["a night"]
    assert (night["cron"], night["time_zone"], night["match_both_days"]) == ("30 2 1 * mon", "Asia/Kolkata", True)
    assert (night["args"], night["queue"], night["description"]) == ([1, 2], "critical", "Adds")
    assert found["b often"]["cron"] == "*/10 * * * *"
    assert not found["b often"]["enabled"]
    assert len(found["b often"]["notes"]) == 3
    assert found["f renamed"]["job_type"] == adds.name
    assert (found["h-one"]["id"], found["h/one"]["id"]) == ("h-one", "h-one-2")
    problems = {name: entry["problem"] for name, entry in found.items() if entry["problem"]}
    assert set(problems) - {"celery.backend_cleanup"} == {"c odd", "d once", "e unknown", "g broken"}
    assert "every 420 s" in problems["c odd"]
    assert "--map shop.tasks.clean=NAME" in problems["e unknown"]
    assert "args" in problems["g broken"]


DJANGO_Q = f"""
from datetime import datetime, timezone
from django_q.models import Schedule
from django_jobs.models import RecurringJob
at = datetime(2026, 12, 16, 6, 5, tzinfo=timezone.utc)
def add(kind, **terms):
    usual = {{"name": kind, "func": {OURS!r}, "args": "1, 2", "schedule_type": kind, "next_run": at}}
    Schedule.objects.create(**usual | terms)
for kind in ("H", "D", "W", "M", "BM", "Q", "Y", "BW", "O"):
    add(kind)
add("I", minutes=15)
add("C", cron="0 22 * * 1-5", args="", kwargs="x=1, y=2")
add("D", name="three times", repeats=3)
add("D", name="off", repeats=0)
add("D", name="code", args="__import__('os').getpid()")
add("M", name="late", next_run=datetime(2026, 12, 31, 6, tzinfo=timezone.utc))
add("D", name="n" * 100)
add("D", name="n" * 100)
jobs_import("django-q2", "--prefix", "p" * 120)
assert RecurringJob.objects.count() == 12
jobs_import("django-q2", "--prefix", "p" * 120, stdout=open(os.devnull, "w"))
assert RecurringJob.objects.count() == 12
"""


@pytest.mark.once
def test_the_schedules_of_django_q2_become_recurring_jobs(tmp_path: Path) -> None:
    told = site(tmp_path, "django_q", DJANGO_Q)
    found = {entry["text"].split(":")[0]: entry for entry in told}
    start = "p" * 120
    assert [entry["id"] for entry in told[-2:]] == [start + "n" * 80, start + "n" * 78 + "-2"]
    times = {name: entry["cron"] for name, entry in found.items() if not entry["problem"]}
    assert times == {
        "H": "5 * * * *",
        "D": "5 7 * * *",
        "W": "5 7 * * 3",
        "M": "5 7 16 * *",
        "BM": "5 7 16 2,4,6,8,10,12 *",
        "Q": "5 7 16 3,6,9,12 *",
        "Y": "5 7 16 12 *",
        "I": "*/15 * * * *",
        "C": "0 22 * * 1-5",
        "off": "5 7 * * *",
        "n" * 100: "5 7 * * *",
    }
    assert found["D"]["time_zone"] == "Europe/Berlin"
    assert (found["C"]["args"], found["C"]["kwargs"]) == ([], {"x": 1, "y": 2})
    assert not found["off"]["enabled"]
    assert "no literals" in found["code"]["problem"]
    assert sorted(name for name, entry in found.items() if entry["problem"]) == [
        "BW",
        "O",
        "code",
        "late",
        "three times",
    ]


@pytest.mark.django_db
def test_the_jobs_of_rq_scheduler_become_recurring_jobs() -> None:
    client = queues.connect("default", timeout=5)
    theirs = Scheduler("critical", connection=client)
    theirs.cron("0 4 * * *", OURS, args=[1, 2], queue_name="critical")
    theirs.schedule(datetime.now(UTC), OURS, args=[Decimal("1.5"), 2], interval=600, queue_name="default")
    theirs.schedule(datetime.now(UTC), OURS, args=[3, 4], interval=60, repeat=5)
    theirs.enqueue_in(timedelta(hours=1), OURS, 5, 6)
    theirs.cron("0 5 * * *", OURS, args=[Path("/tmp")])
    told = imported("rq-scheduler", "--time-zone", "Europe/Berlin")
    stored = {entry["cron"]: entry for entry in told if not entry["problem"]}
    assert sorted(stored) == ["*/10 * * * *", "0 4 * * *"]
    assert (stored["0 4 * * *"]["time_zone"], stored["0 4 * * *"]["queue"]) == ("UTC", "critical")
    problems = sorted(entry["problem"] for entry in told if entry["problem"])
    assert len(problems) == 3
    assert "pathlib" in problems[0]
    assert set(RecurringJob.objects.values_list("cron", flat=True)) == set(stored)


def test_a_pickle_of_another_system_runs_no_code() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, ("true",)

    with pytest.raises(NotPlain):
        _plain(pickle.dumps(("f", None, (Evil(),), {})))
    assert _plain(pickle.dumps(("f", None, (1, Decimal(2)), {"at": datetime(2026, 1, 1, tzinfo=UTC)})))[2] == (1, 2)


@pytest.mark.django_db
def test_what_the_cron_of_rq_registers_becomes_recurring_jobs(tmp_path: Path) -> None:
    file = tmp_path / "cron_config.py"
    module, _, name = OURS.rpartition(".")
    file.write_text(
        "from rq import cron\n"
        f"def plain(x, y): ...\nplain.__module__, plain.__name__ = {module!r}, {name!r}\n"
        "cron.register(plain, queue_name='critical', args=(1, 2), cron='*/5 * * * *')\n"
        "cron.register(plain, queue_name='nowhere', args=(3, 4), interval=3600)\n"
        "cron.register(print, queue_name='default', interval=60)\n"
    )
    told = imported("rq-cron", file, "--dry-run")
    assert [(entry.get("cron"), entry["problem"] != "") for entry in told] == [
        ("*/5 * * * *", False),
        ("0 */1 * * *", False),
        (None, True),
    ]
    assert "nowhere" in told[1]["notes"][1]
    assert not RecurringJob.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["celery-beat"], "django_celery_beat is not in INSTALLED_APPS"),
        (["django-q2", "a file"], "django-q2 has no FILE"),
        (["rq-cron"], "rq-cron needs a FILE"),
        (["rq-cron", "/nowhere/x.py"], "cannot be loaded"),
        (["rq-scheduler", "--map", "a=nothing"], "names 'nothing', which is no job type"),
        (["rq-scheduler", "--map", "a"], "give it as OLD=NAME"),
        (["django-q2", "--time-zone", "Nowhere/City"], "--time-zone: no zone is named 'Nowhere/City'"),
        (["rq-scheduler", "--time-zone", ""], "--time-zone: no zone is named ''"),
        (["rq-scheduler", "--queue", "nowhere"], "no queue is named 'nowhere'"),
    ],
)
def test_what_cannot_be_asked_says_why_and_exits_with_2(arguments: list[str], answer: str) -> None:
    with pytest.raises(CommandError, match=answer) as refused:
        jobs("import", *arguments)
    assert refused.value.returncode == Exit.MISUSED


@pytest.mark.django_db
def test_nothing_to_import_exits_with_1_and_is_json_all_the_same() -> None:
    out = StringIO()
    with pytest.raises(NothingFound, match="nothing to import"):
        call_command("jobs", "import", "rq-scheduler", "--json", stdout=out)
    assert json.loads(out.getvalue()) == []


@pytest.fixture
def theirs() -> str:
    """One job of rq-scheduler; the id that it gets here."""
    Scheduler("default", connection=queues.connect("default", timeout=5)).cron("0 4 * * *", OURS, args=[1, 2])
    return OURS


@pytest.mark.django_db
@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_an_id_that_is_something_elses_is_not_taken_over(theirs: str, dry: list[str]) -> None:
    row = RecurringJob.objects.add_or_update(theirs, "tests.succeeds", cron="0 1 * * *", source="admin")
    (told,) = imported("rq-scheduler", *dry)
    assert told["problem"] == (f"id: '{theirs}' is taken by a recurring job of the type tests.succeeds; give --prefix")
    row.delete()
    RecurringJob.objects.add_or_update(theirs, adds, args=[3, 4], cron="0 1 * * *")
    (told,) = imported("rq-scheduler", *dry)
    assert told["problem"] == f"id: '{theirs}' is taken by a recurring job that the code declares; give --prefix"
    row = RecurringJob.objects.get()
    assert (row.args, row.cron) == ([3, 4], "0 1 * * *")
    (told,) = imported("rq-scheduler", "--prefix", "old-", *dry)
    assert told["id"] == f"old-{theirs}"


@pytest.mark.django_db
def test_what_the_code_declares_is_taken_before_the_database_knows_of_it(theirs: str) -> None:
    declarations.add(Declaration(theirs, adds.job_type, {}))
    try:
        (told,) = imported("rq-scheduler")
    finally:
        declarations.remove(theirs)
    assert "that the code declares" in told["problem"]
    assert not RecurringJob.objects.exists()


@pytest.mark.django_db
def test_what_was_imported_is_imported_again_also_after_an_operator_changed_it(theirs: str) -> None:
    imported("rq-scheduler")
    schedules.change(theirs, cron="0 1 * * *")
    (told,) = imported("rq-scheduler")
    assert (told["id"], told["problem"]) == (theirs, "")
    assert RecurringJob.objects.get().cron == "0 4 * * *"


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OverflowError, RecursionError])
def test_a_job_of_rq_that_cannot_be_read_is_reported_beside_the_others(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(data: bytes) -> Any:
        raise error("too much")

    theirs = Scheduler("default", connection=queues.connect("default", timeout=5))
    theirs.cron("0 4 * * *", OURS, args=[1, 2], queue_name="default")
    monkeypatch.setattr("django_jobs.queues.elsewhere._plain", breaks)
    (told,) = imported("rq-scheduler", "--dry-run")
    assert told["problem"] == "cannot be read: too much"
