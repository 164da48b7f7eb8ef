"""Who may see and do what: every address and verb of dashboard and API, against everybody."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import resolve

from tests.access.conftest import EVERYBODY, World, browser_of, somebody, user_of
from tests.access.doors import CLOSED, DASHBOARD, DOORS, HOME, REST, WORDS, Door, actions, addresses, closed

pytestmark = [pytest.mark.django_db, pytest.mark.once]
IN = {200, 201, 204, 302, 409}
OUT = {401, 403}
SAID_BY_THE_JOB = {"/api/jobs/", "/api/jobs/bulk/"}
"""Who enqueues by the API, often a program, is named by the job alone."""


@pytest.fixture(autouse=True)
def no_log() -> Iterator[None]:
    """A thousand refusals are not worth a line each."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def undone() -> Iterator[None]:
    """Nothing of what happens within stays."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def led(door: Door, browser: Client, rows: dict[str, Any], world: World) -> tuple[bool, bool, int]:
    """Whether somebody got through a door, whether anything has changed, and the status of the answer."""
    with undone():
        answer = door.knock(browser, rows)
        changed = world.has_changed()
    to_login = answer.status_code == 302 and answer.headers["Location"].startswith("/admin/login/")
    entered = changed if door.silent else answer.status_code in IN and not to_login
    return entered, changed, answer.status_code


def route_of(path: str) -> str:
    return str(resolve(re.sub(r"\{\w+\}", "1", path).partition("?")[0]).route)


# The table


def test_every_address_is_in_the_table() -> None:
    told = {route_of(path) for path in [*(door.path for door in DOORS), *CLOSED]}
    assert set(addresses()) - told == set(), "give these addresses their lines in tests/access/doors.py"


def test_every_method_of_the_api_is_in_the_table() -> None:
    told = {(route_of(door.path), door.method) for door in REST}
    views = {route: getattr(view, "actions", None) or {"get": ""} for route, view in addresses().items()}
    ours = [route for route in views if route.startswith("api/") and route not in map(route_of, CLOSED)]
    there = {(route, method) for route in ours for method in views[route]}
    assert there == told


@pytest.mark.parametrize("model", WORDS)
def test_every_verb_is_in_the_table(model: str) -> None:
    prefix = f"{HOME}{model}/"
    told = {door.path.split("/")[-2] for door in DASHBOARD if door.path.startswith(prefix) and door.path.count("/") > 6}
    assert told == WORDS[model]


def test_every_bulk_action_is_in_the_table() -> None:
    request = RequestFactory().get(HOME)
    request.user = User.objects.create_superuser("root")
    told = {(door.path.split("/")[-2], door.body["action"]) for door in DASHBOARD if door.silent}
    assert actions(request) == told


# Everybody


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_gets_through_its_doors_and_no_others(role: str, rows: dict[str, Any], world: World) -> None:
    user = user_of(role)
    browser = browser_of(user)
    wrong = []
    for door in DOORS:
        may = user is not None and door.opens_to(user)
        entered, changed, status = led(door, browser, rows, world)
        if (entered, changed) != (may, may and door.acts):
            wrong.append(f"{door}: {status}, {'entered' if entered else 'kept out'}, changed: {changed}")
    assert wrong == []


def test_nobody_gets_through_a_closed_door(rows: dict[str, Any], world: World) -> None:
    browser = browser_of(user_of("superuser"))
    tried = [(door, *led(door, browser, rows, world)) for door in closed()]
    assert [f"{door}: {status}" for door, entered, changed, status in tried if entered or changed] == []


def test_each_door_takes_each_of_its_permissions_and_nothing_else(rows: dict[str, Any], world: World) -> None:
    wrong = []
    for door in DOORS:
        for missing in [None, *door.needs]:
            with undone():
                names = [name.partition("|")[0] for name in door.needs if name != missing]
                entered, _, status = led(door, browser_of(somebody(*names)), rows, world)
            if entered is not (missing is None):
                wrong.append(f"{door} without {missing}: {status}")
    assert wrong == []


# Traces, and other sites' forms


def says_who_and_what(entry: LogEntry, user: User) -> bool:
    told = entry.is_deletion() or entry.get_change_message()
    return bool(entry.user_id == user.pk and entry.object_id and entry.object_repr and told)


def test_every_action_is_logged_with_who_and_what(rows: dict[str, Any]) -> None:
    root = User.objects.create_superuser("root")
    browser = browser_of(root)
    unsaid = []
    for door in [*DASHBOARD, *REST]:
        with undone():
            door.knock(browser, rows)
            entries = list(LogEntry.objects.all())
        if len(entries) != (door.acts and door.path not in SAID_BY_THE_JOB):
            unsaid.append(f"{door}: {len(entries)} entries")
        unsaid += [f"{door}: {entry}" for entry in entries if not says_who_and_what(entry, root)]
    assert unsaid == []


def test_another_sites_form_opens_no_door(rows: dict[str, Any], world: World) -> None:
    browser = browser_of(User.objects.create_superuser("root"), enforce_csrf_checks=True)
    posted = [door for door in DOORS if door.method != "get"]
    tried = [(door, *led(door, browser, rows, world)) for door in posted]
    assert [f"{door}: {status}" for door, _, changed, status in tried if changed or status not in OUT] == []
