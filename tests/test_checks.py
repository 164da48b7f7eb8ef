"""A mistake in the settings is told at start, with what to write instead."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from django_jobs import checks
from django_jobs.conf import settings
from django_jobs.server import lists
from tests.servers import ROOT


def ids(found: list[Any]) -> list[str]:
    return [message.id for message in found]


def test_the_settings_of_the_tests_are_clean() -> None:
    every = [checks.check_settings, checks.check_queues, checks.check_database, checks.check_neighbours]
    assert [message for check in every for message in check(None)] == []


def test_an_unknown_key_comes_with_a_suggestion() -> None:
    with override_settings(DJANGO_JOBS={"RETENTON": {}}):
        (error,) = checks.check_settings(None)
    assert error.id == "django_jobs.E001"
    assert "'RETENTION'" in (error.hint or "")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("BATCH", "many"), ("GRACE", -1), ("BATCH", True), ("PROCESSES", "5y"), ("LIVE_UPDATES", "on")],
        *[("COMMANDS", "clearsessions"), ("COMMANDS", [1]), ("BROKER", "amqp://")],
        *[("RETENTION", timedelta(days=1)), ("RETENTION", None), ("SERVER_NAME", 5), ("APPLICATION", 5)],
        *[("BATCH", 0), ("BATCH", 1.5), ("SERVER_TIMEOUT", 0), ("MAX_PAYLOAD", "1M"), ("THREADS", 0)],
    ],
)
def test_a_value_that_cannot_be_is_told(key: str, value: Any) -> None:
    with override_settings(DJANGO_JOBS={key: value}):
        (error,) = checks.check_settings(None)
    assert error.id == "django_jobs.E002"
    assert key in error.msg


@pytest.mark.parametrize("value", ["many", 2.5, None])
def test_a_hint_is_a_sentence(value: Any) -> None:
    with override_settings(DJANGO_JOBS={"PROCESSES": value}):
        (error,) = checks.check_settings(None)
    assert (error.hint or "").startswith(f"{value!r} is no process count: give")


@pytest.mark.parametrize(
    ("given", "name"), [(["x"], "GRACE"), ({"GRACE": "30"}, "GRACE"), ({"RETENTION": timedelta(1)}, "RETENTION")]
)
def test_who_reads_a_setting_of_another_kind_is_told_which(given: Any, name: str) -> None:
    with override_settings(DJANGO_JOBS=given), pytest.raises(ImproperlyConfigured, match="DJANGO_JOBS.* must be a"):
        getattr(settings, name)


def test_queues_must_exist() -> None:
    with override_settings(RQ_QUEUES={}):
        assert ids(checks.check_queues(None)) == ["django_jobs.E003"]
    with override_settings(DJANGO_JOBS={"QUEUES": ["default", "mail"]}):
        (error,) = checks.check_queues(None)
    assert error.id == "django_jobs.E004"
    assert "mail" in error.msg


@pytest.mark.parametrize("given", [5, []])
def test_queues_are_a_list_with_something_in_it(given: Any) -> None:
    with override_settings(DJANGO_JOBS={"QUEUES": given}):
        assert ids(checks.check_queues(None)) == ["django_jobs.E002"]


@pytest.mark.parametrize(
    "written", [{"critical": 4, "default": 1}, "critical:4, default:1", ["critical:4", "default:1"]]
)
def test_queues_may_have_weights(written: Any) -> None:
    with override_settings(DJANGO_JOBS={"QUEUES": written}):
        assert checks.check_queues(None) == []
        assert lists.parse(settings.QUEUES) == (["critical", "default"], {"critical": 4.0, "default": 1.0})


@pytest.mark.parametrize(
    "entry", [{}, {"HOST": "localhost"}, {"URL": "http://localhost"}, {"USE_REDIS_CACHE": "no cache"}, "redis://x"]
)
def test_an_entry_that_makes_no_connection_is_told(entry: Any) -> None:
    with override_settings(RQ_QUEUES={"default": entry}):
        (error,) = checks.check_queues(None)
    assert error.id == "django_jobs.W004"
    assert "'default'" in error.msg


def test_another_database_needs_the_router(monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(DJANGO_JOBS={"DATABASE": "jobs"}):
        assert ids(checks.check_database(None)) == ["django_jobs.E005"]
        monkeypatch.setitem(checks.django_settings.DATABASES, "jobs", {})
        assert ids(checks.check_database(None)) == ["django_jobs.E006"]
        with override_settings(DATABASE_ROUTERS=["django_jobs.routers.JobsRouter"]):
            assert ids(checks.check_database(None)) == []


def test_a_site_without_users_is_told_what_is_missing() -> None:
    code = "from django.conf import settings; settings.configure(INSTALLED_APPS=['django_jobs'])"
    command = [sys.executable, "-c", f"{code}; import django; django.setup()"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "ImproperlyConfigured: AUTH_USER_MODEL refers to model 'auth.User'" in ended.stderr


def test_times_must_be_aware() -> None:
    with override_settings(USE_TZ=False):
        assert ids(checks.check_database(None)) == ["django_jobs.E007"]


def test_the_command_of_django_extensions_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.django_settings, "INSTALLED_APPS", ["django_extensions", "django_jobs"])
    assert ids(checks.check_neighbours(None)) == ["django_jobs.W002"]
    monkeypatch.setattr(checks.django_settings, "INSTALLED_APPS", ["django_jobs", "django_extensions"])
    assert ids(checks.check_neighbours(None)) == []
