"""What a person may ask of a server: when it is offered, how it is told and written to the admin's log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.utils.translation import gettext, gettext_lazy

from .. import monitoring, steering
from ..models import Server
from ..transactions import atomic

QUIET, STOP = Server.Wanted.QUIET, Server.Wanted.STOP


@dataclass(frozen=True)
class Order:
    """An order in words. `after` are the orders (none is "") under which it makes sense to give this one."""

    name: str
    wanted: str
    after: frozenset[str]
    label: Any
    hint: Any
    done: Any
    logged: Any


ORDERS: dict[str, Order] = {
    order.name: order
    for order in (
        Order(
            "quiet",
            QUIET,
            frozenset({""}),
            gettext_lazy("Quiet"),
            gettext_lazy("Take no new jobs; what runs goes on, and the processes stay"),
            gettext_lazy("Server %(name)s was asked to take no new jobs."),
            gettext_lazy("Asked to take no new jobs."),
        ),
        Order(
            "resume",
            "",
            frozenset({QUIET}),
            gettext_lazy("Resume"),
            gettext_lazy("Take new jobs again"),
            gettext_lazy("Server %(name)s was asked to work again."),
            gettext_lazy("Asked to work again."),
        ),
        Order(
            "stop",
            STOP,
            frozenset({"", QUIET}),
            gettext_lazy("Stop"),
            gettext_lazy("Let running jobs end, as SIGTERM does; whatever started the server may start it anew"),
            gettext_lazy("Server %(name)s was asked to stop."),
            gettext_lazy("Asked to stop."),
        ),
    )
}

PENDING: dict[str, Any] = {
    QUIET: gettext_lazy("Asked to take no new jobs"),
    STOP: gettext_lazy("Asked to stop…"),
}


def offered(server: Server) -> list[Order]:
    """The orders that make sense now: none to a dead server, none to one that was asked to stop."""
    if not monitoring.is_alive(server):
        return []
    return [order for order in ORDERS.values() if server.wanted in order.after]


def give(order: Order, server: Server, by: Any) -> bool:
    """Ask the server, together with an entry in the admin's log; False when it no longer makes sense."""
    if order not in offered(server):
        return False
    with atomic():
        asked = steering.direct([server.pk], order.wanted)
        if asked:
            LogEntry.objects.log_actions(by.pk, [server], CHANGE, str(order.logged))
    return bool(asked)


def told(order: Order, server: Server, *, asked: bool) -> tuple[int, str]:
    """Level and text of the message."""
    if asked:
        return messages.SUCCESS, order.done % {"name": server.name}
    if not monitoring.is_alive(server):
        text = gettext("Nothing was done: server %(name)s shows no sign of life.")
    elif server.wanted == STOP:
        text = gettext("Nothing was done: server %(name)s was asked to stop already.")
    else:
        text = gettext("Nothing was done: server %(name)s does not need to be asked.")
    return messages.WARNING, text % {"name": server.name}
