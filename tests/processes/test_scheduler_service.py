"""The scheduler service of `docs/examples/scheduler-service.md`: plug-ins, web API, two instances, HTTPS."""

from __future__ import annotations

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.servers import ROOT, eventually
from tests.sites import Api, Site

pytestmark = [pytest.mark.processes, pytest.mark.once]

PAGE = (ROOT / "docs/examples/scheduler-service.md").read_text()
UNITS = ROOT / "deploy/scheduler"
PACKAGES = ROOT / "example_project/plugins"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed the sample packages, from copies: a build must not leave files in the sources."""
    target, copies = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("sources") / "plugins"
    shutil.copytree(PACKAGES, copies)
    install = [sys.executable, "-m", "pip", "install", "-qq", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(target), *map(str, sorted(copies.iterdir()))], check=True, timeout=120)
    return target


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine")
    files = {"WEB_KEYFILE": str(tmp_path / "key.pem"), "WEB_CERTFILE": str(tmp_path / "cert.pem")}
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    out = ["-keyout", files["WEB_KEYFILE"], "-out", files["WEB_CERTFILE"]]
    subprocess.run([*make, *out], check=True, capture_output=True)
    return files


def body_of_the_page() -> dict[str, object]:
    """The JSON that the page sends, which is that of the system it stands for."""
    (found,) = re.findall(r"--json '(\{\s*\"id\": \"JOB001\".*?\})'", PAGE, re.DOTALL)
    told: dict[str, object] = json.loads(found)
    return told


def test_plugins_are_scheduled_by_the_api_and_two_instances_share_the_load(
    site: Callable[..., Site], installed: Path, tmp_path: Path, certificate: dict[str, str]
) -> None:
    path = os.pathsep.join([str(ROOT), str(installed)])
    brokers = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    service = site(PYTHONPATH=path, DJANGO_JOBS_PROCESSES="1", ALLOWED_HOSTS="127.0.0.1", **brokers)
    (tmp_path / "broken.py").write_text("import a_library_that_is_not_here\n")
    folders = f"{ROOT / 'example_project/plugin_folder'},{tmp_path}"
    service.environment["DJANGO_JOBS_PLUGIN_PATHS"] = folders
    service.run("demo_setup", "--users")
    api = service.serve("https", **certificate)
    for name in ("one", "two"):
        service.start("runjobs", "--name", name)
    eventually(lambda: {"one", "two"} <= set(api.servers()), 30, "both instances live")

    types = {row["name"]: row for row in api.get("job-types/")}
    assert all(types[f"EventType{letter}"]["served"] for letter in "ABC")
    _is_scheduled(api)
    _books_invoices(api, tmp_path)
    _shares_the_load(api)
    told = subprocess.run(
        [sys.executable, "-m", "django", "jobs", "doctor"],
        env=service.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert re.search(r"error +Plug-in broken: .*No module named 'a_library_that_is_not_here'", told.stdout)
    assert re.search(r"ok +Plug-ins: 3 in use: archive, broker-watch, invoices", told.stdout)


def _is_scheduled(api: Api) -> None:
    """By the words of the page, in the zone that it names; and shown on the Swagger page."""
    code, told = api("POST", "api/recurring-jobs/", body_of_the_page())
    assert code == 201, told
    assert (told["job_type"], told["cron"]) == ("EventTypeA", "0-59 * * * MON,TUE,WED,THU,FRI")
    next_run = datetime.fromisoformat(told["next_run"]).astimezone(ZoneInfo("EST"))
    assert next_run.weekday() < 5
    assert (next_run.second, next_run.microsecond) == (0, 0)
    assert [row["id"] for row in api.get("recurring-jobs/?page_size=500")["results"] if row["id"] == "JOB001"]
    assert "swagger-ui" in api("GET", "api/docs/")[1]
    assert "/recurring-jobs/{id}/trigger/" in json.dumps(api("GET", "api/schema/?format=json")[1])
    assert Api(api.address, "nobody")("GET", "api/recurring-jobs/")[0] == 401
    with pytest.raises((ssl.SSLError, OSError)):
        Api(api.address.replace("https", "http"))("GET", "api/")


def _books_invoices(api: Api, folder: Path) -> None:
    """Its own configuration names the inbox, the host's shared one the files and the sender."""
    inbox = folder / "var/inbox"
    inbox.mkdir()
    for number in ("2026-1", "2026-2"):
        (inbox / f"{number}.json").write_text('{"amount": "12.50"}')
    job = api.post("recurring-jobs/JOB001/trigger/")["id"]
    assert (api.ended(job)["state"], api.ended(job)["result"]) == ("succeeded", "2 invoices, 25.00")
    eventually(lambda: "2026-2: 12.50" in api.console(job), what="the lines are stored")
    (mail,) = (folder / "var/mail").glob("*.log")
    assert "From: jobs@example.com\nTo: accounting@example.com" in mail.read_text()
    os.utime(inbox / "2026-1.booked", (0, 0))
    assert api.ended(api.enqueue("EventTypeC"))["result"] == 1
    assert len(list(inbox.glob("*.zip"))) == 1
    watched = api.ended(api.enqueue("EventTypeB"))
    assert watched["state"] == "failed"
    assert "BrokersAway: 127.0.0.1:1" in watched["reason"]


def _shares_the_load(api: Api) -> None:
    ids = [api.enqueue("check.sleeps", 0.3) for _ in range(12)]
    workers = {api.ended(job)["worker"].split("/")[0] for job in ids}
    assert workers == {"one", "two"}


def test_bad_files_for_https_are_refused(site: Callable[..., Site]) -> None:
    with pytest.raises(AssertionError, match="--certfile: /no/such.pem is no file that can be read"):
        site().run("serve", "--certfile", "/no/such.pem")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    for unit in UNITS.glob("*.service"):
        text = unit.read_text().replace("/srv/scheduler/.venv/bin/python", "/bin/sh")
        name = tmp_path / unit.name.replace("@", "@1")
        name.write_text(text)
        told = subprocess.run(["systemd-analyze", "verify", str(name)], capture_output=True, text=True, check=False)
        assert [line for line in told.stderr.splitlines() if name.name in line] == []


def test_the_units_and_their_environment_fit_together() -> None:
    """Every variable is read by something, and the page quotes the commands of the units."""
    text = (UNITS / "environment").read_text()
    names = re.findall(r"^(\w+)=", text, re.MULTILINE)
    sources = [ROOT / "example_project", ROOT / "django_jobs/conf.py"]
    read = "".join(
        file.read_text() for source in sources for file in ([source] if source.is_file() else source.rglob("*.py"))
    )
    unread = [
        name for name in names if f'"{name}"' not in read and f'"{name.removeprefix("DJANGO_JOBS_")}"' not in read
    ]
    assert unread == []
    for unit in UNITS.glob("*.service"):
        (command,) = re.findall(r"^ExecStart=\S+python (.+)$", unit.read_text(), re.MULTILINE)
        assert f"manage.py {command.split()[1]}" in PAGE
        assert unit.name in PAGE


def test_each_unit_migrates_before_it_starts_and_its_user_may_write_where_the_example_keeps_files() -> None:
    web, work = ((UNITS / name).read_text() for name in ("scheduler-web.service", "scheduler-jobs@.service"))
    assert re.search(r"^ExecStartPre=\S+python manage.py migrate --no-input$", web, re.MULTILINE)
    assert re.search(r"^ExecStart=\S+python manage.py runjobs --migrate ", work, re.MULTILINE)
    assert re.search(r"^After=.* scheduler-web.service$", work, re.MULTILINE)
    (user,) = re.findall(r"^User=(\w+)$", work, re.MULTILINE)
    (home,) = re.findall(r"^WorkingDirectory=(\S+)$", work, re.MULTILINE)
    assert f"install -d -o {user} -g {user} {home}/example_project/var\n" in PAGE
