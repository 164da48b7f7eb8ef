"""The health page shows what the doctor finds, the worst first, to those who may see servers or jobs."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client, override_settings

from django_jobs import doctor
from django_jobs.doctor import Finding
from django_jobs.states import machine
from django_jobs.states.moves import Target
from tests.app.jobs import fails
from tests.dashboard.conftest import AsUser, server

pytestmark = pytest.mark.django_db(transaction=True)

HEALTH = "/admin/django_jobs/server/health/"


def shown(browser: Client) -> str:
    answer = browser.get(HEALTH)
    assert answer.status_code == 200
    return answer.content.decode()


def levels(page: str) -> list[str]:
    return re.findall(r'<li>\s*<span class="dj-badge dj-(\w+)-level"', page)


def test_problems_come_first_each_with_its_remedy(as_root: Client) -> None:
    page = shown(as_root)
    assert levels(page) == sorted(levels(page), key=["error", "warning", "ok"].index)
    assert levels(page).count("error") == 2
    assert "none runs, so no job does" in page
    assert "→ Start `manage.py runjobs`" in page
    assert "2 problems" in page


def test_a_healthy_site_is_told_so(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOKS", (lambda: iter([Finding("ok", "Servers", "one is alive")]),))
    page = shown(as_root)
    assert "All is well" in page
    assert set(levels(page)) == {"ok"}


def test_findings_are_looked_for_anew_each_time(as_root: Client) -> None:
    assert "none runs" in shown(as_root)
    server("one")
    assert "1 alive with 2 worker(s)" in shown(as_root)


def test_a_finding_is_text(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LOOKS", (lambda: iter([Finding("error", "<b>x</b>", "<i>y</i>", "<u>z</u>")]),))
    page = shown(as_root)
    assert not [tag for tag in ("<b>x", "<i>y", "<u>z") if tag in page]


@pytest.mark.parametrize(
    ("permissions", "status"),
    [([], 403), (["stop_server"], 403), (["cancel_job"], 403), (["view_server"], 200), (["view_job"], 200)],
    ids=lambda value: "+".join(value) or "none" if isinstance(value, list) else "",
)
def test_who_sees_servers_or_jobs_sees_it(as_user: AsUser, permissions: list[str], status: int) -> None:
    assert as_user(*permissions).get(HEALTH).status_code == status


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    assert client.get(HEALTH).headers["Location"].startswith("/admin/login/")


def test_nothing_is_posted_to_it(as_root: Client) -> None:
    assert as_root.post(HEALTH).status_code == 405


def test_who_may_not_see_jobs_is_not_told_how_they_failed(as_user: AsUser) -> None:
    jobs = [fails.enqueue("s3cret") for _ in range(2)]
    machine.move([job.pk for job in jobs], Target("failed", "ValueError: s3cret"), expected={"enqueued"})
    assert "s3cret" in shown(as_user("view_job", "view_payload_job"))
    assert "2 of 2 runs failed" in (told := shown(as_user("view_job")))
    assert "s3cret" not in told
    assert "2 of 2 runs failed" not in (told := shown(as_user("view_server")))
    assert "s3cret" not in told


def test_lists_lead_to_it(as_user: AsUser) -> None:
    both = as_user("view_job", "view_server", username="both")
    for where in ("/admin/django_jobs/job/", "/admin/django_jobs/server/"):
        assert f'href="{HEALTH}"' in both.get(where).content.decode()
    assert "/admin/django_jobs/job/" in shown(as_user("view_job"))
    assert 'href="/admin/django_jobs/server/"' not in shown(as_user("view_job", username="another"))


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_redis_that_does_not_answer_is_told(as_root: Client, mute: int) -> None:
    with override_settings(RQ_QUEUES={"default": {"URL": f"redis://127.0.0.1:{mute}/0"}}):
        assert "Redis of default" in (page := shown(as_root))
    assert "cannot be reached" in page


@pytest.mark.parametrize("config", [{"URL": "localhost:6379"}, {}], ids=["no scheme", "empty"])
def test_a_broken_setting_is_a_finding_among_others(as_root: Client, config: dict[str, str]) -> None:
    with override_settings(RQ_QUEUES={"default": config}):
        page = shown(as_root)
    assert "could not be examined" in page
    assert "none runs, so no job does" in page


def fails_in_sql() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
    yield Finding("ok", "Never", "reached")


def raises() -> Iterator[Finding]:
    raise DatabaseError("the disk is full")


@pytest.mark.parametrize("look", [fails_in_sql, raises])
def test_what_cannot_be_examined_is_a_finding(
    as_root: Client, monkeypatch: pytest.MonkeyPatch, look: Callable[[], Any]
) -> None:
    monkeypatch.setattr(doctor, "LOOKS", (look, doctor.servers))
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    page = shown(as_root)
    assert "could not be examined" in page
    assert "none runs, so no job does" in page
