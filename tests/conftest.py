"""Fixtures of the whole suite: a clean Redis for each test, real `runjobs` processes, Chromium, the report."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.backends.base.operations import BaseDatabaseOperations
from playwright.sync_api import Browser, Page, expect, sync_playwright
from redis import Redis

from django_jobs import queues
from django_jobs.clock import clock
from django_jobs.conf import settings
from django_jobs.models import Server
from tests import report, services
from tests.lanes import AT_THE_MERCY
from tests.servers import ROOT, RunJobs

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "django_db_serialized_rollback"}
STARTED = pytest.StashKey[list[RunJobs]]()


expect.set_options(timeout=30_000)  # milliseconds: a busy machine may take them


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does: servers and the embedded Valkey are ended, test databases dropped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def redis_client() -> Iterator[Redis]:
    """A plain client of the lane's Redis, which belongs to the tests alone."""
    with Redis.from_url(services.redis_url(), socket_timeout=5) as client:
        yield client


@pytest.fixture(autouse=True)
def clean_slate(redis_client: Redis) -> Iterator[None]:
    """Each test starts with an empty Redis, no open line to it, the host's clock, and settings as written."""
    redis_client.flushdb()
    yield
    if redis_client.dbsize():
        report.note(*_broker(redis_client))
    queues.hang_up()
    clock.release()
    settings.forget()


def _broker(client: Redis) -> tuple[str, str]:
    facts: Mapping[str, Any] = client.info("server")
    if version := facts.get("valkey_version"):
        return "valkey", str(version)
    return "redis", str(facts["redis_version"])


@pytest.fixture(autouse=True)
def database_is_reported(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("django_db") or not DATABASE_FIXTURES.isdisjoint(request.fixturenames):
        report.note(*_database())


def _database() -> tuple[str, str]:
    name = "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor
    return name, ".".join(map(str, connection.get_database_version()))


@pytest.fixture
def live_server_row(db: None) -> Server:
    """A server that takes every queue and the types of the tests."""
    now = clock.now()
    facts = {
        "host": "h",
        "pid": 1,
        "slots": 1,
        "queues": list(queues.names()),
        "types": ["tests.adds"],
        "address": "tests.1",
    }
    return Server.objects.create(name="s", kind="supervisor", started_at=now, heartbeat_at=now, **facts)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """PostgreSQL truncates a hundred small files after each transactional test; deleting their few rows is faster."""
    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(type(connection.ops), "sql_flush", _delete_all)
        yield


def _delete_all(ops: BaseDatabaseOperations, style: Any, tables: list[str], **options: Any) -> list[str]:
    return [f"DELETE FROM {ops.quote_name(table)}" for table in tables]


@pytest.fixture
def server_environment(transactional_db: None) -> dict[str, str]:
    """Environment for a child process that works on this test's database and Redis, with the tests' settings."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
        "LANE_REDIS_URL": services.redis_url(),
        "LANE_DATABASE_NAME": str(django_settings.DATABASES["default"]["NAME"]),
    }


@pytest.fixture
def runjobs(
    request: pytest.FixtureRequest, server_environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., RunJobs]]:
    """Call it with `runjobs` arguments: starts one, waits until it is ready, and ends its whole process tree later.

    `environment` adds variables for it; `ready=False` does not wait.
    """
    started: list[RunJobs] = []
    request.node.stash[STARTED] = started

    def start(*arguments: str, environment: Mapping[str, str] | None = None, ready: bool = True) -> RunJobs:
        server = RunJobs(arguments, {**server_environment, **(environment or {})}, tmp_path)
        started.append(server)
        if ready:
            server.wait_until_ready()
        return server

    yield start
    for server in started:
        server.ask_to_stop()
    for server in started:
        server.end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the logs of its servers."""
    outcome = yield
    if outcome.failed:
        for server in item.stash.get(STARTED, []):
            outcome.sections.append((f"log of runjobs {server.name} (pid {server.pid})", server.log))
    return outcome


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, driven by Playwright. CHROMIUM names another executable.

    Only as long as a module's tests: Playwright's event loop in this thread would break tests of async code.
    """
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django takes the thread of that event loop for async code, and refuses its database to it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        report.note("chromium", browser.version)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page of a fresh browser profile; the test fails if a script of the page raised an error."""
    errors: list[str] = []
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
    assert not errors, f"errors in the page's scripts: {errors}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a lane, what a stalled machine may fail has a second try; what needs no lane runs in the first one only."""
    if "LANE_REPORT" in os.environ:
        for item in items:
            if AT_THE_MERCY.search(item.nodeid):
                item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=2))
    if os.environ.get("LANE_IS_FIRST", "yes") == "yes":
        return
    again = [item for item in items if item.get_closest_marker("once")]
    config.hook.pytest_deselected(items=again)
    items[:] = [item for item in items if not item.get_closest_marker("once")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    stats = terminalreporter.stats
    ran = [outcome for name in ("passed", "failed") for outcome in stats.get(name, [])]
    browser_tests = sum("browser" in getattr(outcome, "keywords", {}) for outcome in ran)
    kinds = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    again = {outcome.nodeid for outcome in stats.get("rerun", [])}
    for outcome in stats.get("rerun", []):
        terminalreporter.section(f"a try of {outcome.nodeid} that did not pass", sep="_")
        terminalreporter.write_line("\n".join([outcome.longreprtext, *(text for _, text in outcome.sections)]))
    doubtful = sorted(again - {outcome.nodeid for name in ("failed", "error") for outcome in stats.get(name, [])})
    report.write({kind: len(stats.get(kind, [])) for kind in kinds}, browser_tests, doubtful)
    if report.used:
        terminalreporter.write_line("Used: " + ", ".join(f"{name} {version}" for name, version in report.used.items()))
