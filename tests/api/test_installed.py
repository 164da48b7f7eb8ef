"""What the site must have before it can have the API."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

import django_jobs.api


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import the package as if nobody had yet."""

    def load() -> ModuleType:
        monkeypatch.delitem(sys.modules, "django_jobs.api")
        return import_module("django_jobs.api")

    yield load
    monkeypatch.undo()
    django_jobs.api = sys.modules["django_jobs.api"]


def test_an_app_that_is_missing_is_named(fresh: Any, settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "rest_framework"]
    with pytest.raises(ImproperlyConfigured, match="INSTALLED_APPS lacks 'rest_framework'"):
        fresh()


def test_a_package_that_is_missing_is_named(fresh: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "django_filters" else True)
    with pytest.raises(ImproperlyConfigured, match=r"django-filter is not installed: pip install"):
        fresh()


def test_a_site_that_has_all_hears_nothing(fresh: Any) -> None:
    assert fresh().problem() == ""
