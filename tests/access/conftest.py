"""Rows behind the doors, and users of every kind in front of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from django_jobs import Batch, groups, monitoring, states, steering
from django_jobs.models import RecurringJob
from tests.app.jobs import succeeds
from tests.dashboard.conftest import in_state, retrying, server

ROLES: dict[str, tuple[bool, str, tuple[str, ...]]] = {
    "no rights": (False, "", ()),
    "staff without rights": (True, "", ()),
    "rights without staff": (False, groups.ADMINISTRATOR, ()),
    "viewer": (True, groups.VIEWER, ()),
    "viewer with payload": (True, groups.VIEWER, ("view_payload_job",)),
    "operator": (True, groups.OPERATOR, ()),
    "administrator": (True, groups.ADMINISTRATOR, ()),
}
"""Whether the user may enter the admin, his group, and what he may besides. Nobody and superusers are roles, too."""
EVERYBODY = ["anonymous", *ROLES, "superuser"]


def user_of(role: str) -> User | None:
    if role == "anonymous":
        return None
    if known := User.objects.filter(username=role).first():
        return known
    if role == "superuser":
        return User.objects.create_superuser(role)
    staff, group, more = ROLES[role]
    user = somebody(*more, username=role, is_staff=staff)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def somebody(*permissions: str, username: str = "somebody", is_staff: bool = True) -> User:
    user = User.objects.create_user(username, is_staff=is_staff)
    found = Permission.objects.filter(content_type__app_label="django_jobs", codename__in=permissions)
    assert len(found) == len(set(permissions)), permissions
    user.user_permissions.set(found)
    return user


def browser_of(user: User | None, **options: Any) -> Client:
    browser = Client(**options)
    if user is not None:
        browser.force_login(user)
    return browser


@pytest.fixture
def rows(db: None) -> dict[str, Any]:
    """A row of each kind, by the name that stands for it in the table of doors."""
    groups.restore()
    named: dict[str, Any] = {state: in_state(state).pk for state in states.ALL}
    named["retrying"] = retrying().pk
    named["cause"] = monitoring.failure_groups()[0].cause.key
    named["batch"] = Batch.start("two", [succeeds.bind(), succeeds.bind()]).pk
    for name, enabled in (("nightly", True), ("resting", False)):
        RecurringJob.objects.add_or_update(name, "tests.succeeds", cron="0 2 * * *", enabled=enabled)
        named[name] = name
    named["server"] = server("awake").pk
    quiet = server("quiet")
    steering.direct([quiet.pk], "quiet")
    named["quiet"] = quiet.pk
    steering.pause_queue("critical")
    return named


class World:
    """What stands in every table of ours, and in the admin's log."""

    def __init__(self) -> None:
        self.models = [*apps.get_app_config("django_jobs").get_models(), LogEntry]
        self.before = self.look()

    def look(self) -> list[list[Any]]:
        return [list(model._default_manager.order_by("pk").values_list()) for model in self.models]

    def has_changed(self) -> bool:
        return self.look() != self.before


@pytest.fixture
def world(rows: dict[str, Any]) -> World:
    return World()
