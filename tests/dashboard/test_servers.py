"""The servers' pages: what they tell of each process, and the orders a person may give."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client

from django_jobs import clock
from django_jobs.models import Lease, Server
from tests.dashboard.conftest import AsUser, server

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/server/"
ORDERS = {"quiet": ("", "quiet"), "resume": ("quiet", ""), "stop": ("", "stop")}
"""The order that a server has before, and after it was given."""


def page(row: Server) -> str:
    return f"{LIST}{row.pk}/change/"


def way(row: Server, order: str) -> str:
    return f"{LIST}{row.pk}/order/{order}/"


def made(name: str = "one", *, wanted: str = "", alive: bool = True) -> Server:
    row = server(name, alive=alive)
    Server.objects.filter(pk=row.pk).update(wanted=wanted)
    return row


def wanted(row: Server) -> str:
    return Server.objects.get(pk=row.pk).wanted


def offered(browser: Client, row: Server, where: str = LIST) -> set[str]:
    shown = browser.get(where).content.decode()
    return {order for order in ORDERS if way(row, order) in shown}


def give(browser: Client, row: Server, order: str, **form: Any) -> str:
    answer = browser.post(way(row, order), form, follow=True)
    return " ".join(str(message) for message in answer.context["messages"])


# Orders


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_is_written_told_and_logged(as_root: Client, order: str) -> None:
    before, after = ORDERS[order]
    row, other = made(wanted=before), made("two", wanted=before)
    assert give(as_root, row, order).startswith("Server one was asked to ")
    assert (wanted(row), wanted(other)) == (after, before)
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id, entry.action_flag) == ("root", str(row.pk), CHANGE)
    assert entry.object_repr == "one"
    assert entry.change_message.startswith("Asked to ")
    assert entry.change_message in as_root.get(f"{LIST}{row.pk}/history/").content.decode()


@pytest.mark.parametrize(
    ("has", "orders"),
    [("", {"quiet", "stop"}), ("quiet", {"resume", "stop"}), ("stop", set())],
    ids=["works", "quiet", "stopping"],
)
def test_only_orders_that_make_sense_are_offered(as_root: Client, has: str, orders: set[str]) -> None:
    row = made(wanted=has)
    assert offered(as_root, row) == offered(as_root, row, page(row)) == orders


def test_a_dead_server_is_asked_nothing(as_root: Client) -> None:
    row = made(alive=False)
    assert offered(as_root, row) == offered(as_root, row, page(row)) == set()
    assert give(as_root, row, "stop") == "Nothing was done: server one shows no sign of life."
    assert wanted(row) == ""
    assert not LogEntry.objects.exists()


def test_an_order_that_came_too_late_is_told_and_not_logged(as_root: Client) -> None:
    stopping, quiet = made(wanted="stop"), made("two", wanted="quiet")
    assert give(as_root, stopping, "resume") == "Nothing was done: server one was asked to stop already."
    assert give(as_root, quiet, "quiet") == "Nothing was done: server two does not need to be asked."
    assert (wanted(stopping), wanted(quiet)) == ("stop", "quiet")
    assert not LogEntry.objects.exists()


def test_a_button_leads_back_to_where_it_was(as_root: Client) -> None:
    row = made()
    assert as_root.post(way(row, "quiet"), {"back": "list"}).headers["Location"] == LIST
    assert as_root.post(way(row, "resume"), {"back": "page"}).headers["Location"] == page(row)
    assert as_root.post(way(row, "quiet"), {"back": "https://elsewhere.example"}).headers["Location"] == page(row)


# Who may


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "permissions",
    [[], ["view_server"], ["stop_server"], ["view_job", "stop_server"], ["view_server", "cancel_job"]],
    ids=lambda names: "+".join(names) or "none",
)
def test_an_order_takes_sight_of_servers_and_its_permission(
    as_user: AsUser, permissions: list[str], order: str
) -> None:
    row = made(wanted=ORDERS[order][0])
    browser = as_user(*permissions)
    assert browser.post(way(row, order)).status_code == 403
    if "view_server" in permissions:
        assert offered(browser, row) == offered(browser, row, page(row)) == set()
    assert wanted(row) == ORDERS[order][0]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("order", ORDERS)
def test_who_sees_servers_and_may_stop_them_gives_every_order(as_user: AsUser, order: str) -> None:
    row = made(wanted=ORDERS[order][0])
    browser = as_user("view_server", "stop_server")
    assert order in offered(browser, row)
    assert browser.post(way(row, order)).status_code == 302
    assert wanted(row) == ORDERS[order][1]


def test_a_stranger_gives_no_order(client: Client) -> None:
    row = made()
    assert client.post(way(row, "stop")).headers["Location"].startswith("/admin/login/")
    assert wanted(row) == ""


def test_a_link_gives_no_order(as_root: Client) -> None:
    row = made()
    assert as_root.get(way(row, "stop")).status_code == 405
    assert wanted(row) == ""


def test_another_sites_form_gives_no_order(as_root: Client) -> None:
    row, strict = made(), Client(enforce_csrf_checks=True)
    strict.cookies = as_root.cookies
    assert strict.post(way(row, "stop")).status_code == 403
    assert wanted(row) == ""


@pytest.mark.parametrize("order", ["explode", "direct", "wanted"])
def test_an_order_that_there_is_not_is_not_found(as_root: Client, order: str) -> None:
    assert as_root.post(way(made(), order)).status_code == 404


def test_a_child_and_a_server_that_is_gone_take_no_order(as_root: Client) -> None:
    row = made()
    child = row.children.get(kind="scheduler")
    assert "is not there" in give(as_root, child, "stop")
    row.delete()
    assert "is not there" in give(as_root, row, "stop")
    assert "is not there" in as_root.get(page(row), follow=True).content.decode()


# What is shown


def test_each_process_tells_its_memory_cpu_and_heartbeat_and_the_server_their_sum(as_root: Client) -> None:
    row = made()
    now = clock.now()
    Server.objects.filter(pk=row.pk).update(application="shop", started_at=now - timedelta(hours=2), memory=7 * 2**20)
    busy, idle = row.children.filter(kind="worker").order_by("name")
    Server.objects.filter(pk=busy.pk).update(memory=80 * 2**20, cpu=97.4, busy=1)
    Server.objects.filter(pk=idle.pk).update(memory=40 * 2**20, cpu=0.2, heartbeat_at=now - timedelta(seconds=9))
    for where in (LIST, page(row)):
        shown = as_root.get(where).content.decode().replace("\xa0", " ")
        for text in ("80.0 MB", "97 %", "40.0 MB", "0 %", "120.0 MB", "98 %", "1 of 1", "9 s ago", "2 h 0 min", "shop"):
            assert text in shown, text


def test_the_scheduler_that_leads_is_marked_and_only_while_its_lease_lasts(as_root: Client) -> None:
    row, other = made(), made("another")
    leader = row.children.get(kind="scheduler")
    lease = Lease.objects.create(name="scheduler", holder=leader.name, until=clock.now() + timedelta(minutes=1))
    marks = [as_root.get(page(server)).content.decode().count(">leads</span>") for server in (row, other)]
    assert marks == [1, 0]
    Lease.objects.filter(pk=lease.pk).update(until=clock.now())
    assert ">leads</span>" not in as_root.get(LIST).content.decode()


def test_a_dead_child_is_not_in_the_sum(as_root: Client) -> None:
    row = made()
    silent, other = row.children.filter(kind="worker")
    past = clock.now() - timedelta(minutes=5)
    Server.objects.filter(pk=silent.pk).update(memory=80 * 2**20, heartbeat_at=past)
    Server.objects.filter(pk=other.pk).update(memory=40 * 2**20)
    shown = as_root.get(page(row)).content.decode().replace("\xa0", " ")
    assert "120.0 MB" not in shown
    assert shown.count("40.0 MB") == 2


@pytest.mark.parametrize(("has", "told"), [("quiet", "Asked to take no new jobs"), ("stop", "Asked to stop…")])
def test_an_order_that_is_given_shows(as_root: Client, has: str, told: str) -> None:
    row, dead = made(wanted=has), made("gone", wanted=has, alive=False)
    assert as_root.get(LIST).content.decode().count(told) == 1
    assert told in as_root.get(page(row)).content.decode()
    assert told not in as_root.get(page(dead)).content.decode()
