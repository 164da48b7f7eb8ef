"""The numbers of the overview, as far as its reader may see what they count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from .. import clock, monitoring, schedules, states
from ..models import Server
from .display import LABELS, span
from .ways import way

SERVERS = 20
"""Most servers in the table; all of them are on their own page."""


@dataclass(frozen=True)
class Cell:
    """A text. `kind` colours it: error, warning or ok."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Row:
    """A row of a table, or a number with its label."""

    label: Any
    url: str
    cells: list[Cell]


class Now:
    """Everything that the overview counts, as far as the reader may see it. Made inside a snapshot."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.numbers = [*self._states(), *self._others()]
        self.queues = self._queues() if way(request, "queues") else []
        self.servers = self._servers() if way(request, "servers") else []
        self.servers_left_out = max(0, len(monitoring.fleet()) - SERVERS) if self.servers else 0
        self.ended = {state: monitoring.totals().get(state, 0) for state in sorted(states.ENDED)}

    @cached_property
    def _living(self) -> list[Server]:
        return monitoring.living()

    def _states(self) -> list[Row]:
        return [
            Row(
                LABELS[state],
                way(self.request, f"jobs?state={state}"),
                [Cell(str(count), "error" if state == states.FAILED and count.number else "")],
            )
            for state, count in monitoring.counts().items()
        ]

    def _others(self) -> list[Row]:
        slots, busy = (sum(getattr(server, name) for server in self._living) for name in ("slots", "busy"))
        workers = _("%(busy)s of %(slots)s busy") % {"busy": f"{busy:,}", "slots": f"{slots:,}"}
        servers, recurring = len(self._living), schedules.rows().count()
        return [
            Row(_("Recurring jobs"), way(self.request, "recurring"), [Cell(f"{recurring:,}")]),
            Row(_("Servers"), way(self.request, "servers"), [Cell(f"{servers:,}", _alarm(servers))]),
            Row(_("Workers"), way(self.request, "servers"), [Cell(workers, _alarm(slots))]),
        ]

    def _queues(self) -> list[Row]:
        pace = monitoring.pace()
        return [
            Row(name, way(self.request, "queues"), _queue(facts, pace.get(name, 0.0)))
            for name, facts in monitoring.queue_waits().items()
        ]

    def _servers(self) -> list[Row]:
        page = way(self.request, "servers")
        shown = monitoring.fleet()[:SERVERS]
        return [Row(server.name, f"{page}{server.pk}/change/", _server(server)) for server in shown]


def _alarm(number: int) -> str:
    return "" if number else "error"


def _queue(facts: dict[str, Any], per_second: float) -> list[Cell]:
    """Status, what waits, since when, how fast it goes and how long it takes."""
    status = Cell(_("Open"), "ok")
    if facts["paused"]:
        status = Cell(_("Paused"), "warning")
    elif not facts["servers"]:
        status = Cell(_("Nobody serves it"), "error")
    oldest = span(clock.now() - facts["oldest"]) if facts["oldest"] else "–"
    return [
        status,
        Cell(str(facts["waiting"])),
        Cell(oldest),
        Cell(pace(per_second)),
        Cell(drained(facts["waiting"], per_second)),
    ]


def pace(per_second: float) -> str:
    """Runs in a second."""
    return f"{per_second:,.3g}" if per_second < 1000 else f"{per_second:,.0f}"


def drained(waiting: monitoring.Count, per_second: float) -> str:
    """How long it takes at that pace to work off what waits."""
    left = monitoring.drain_time(waiting, per_second)
    if left is None:
        return _("unknown")
    return ("≥ " if waiting.capped else "") + span(left) if left else "–"


def _server(server: Server) -> list[Cell]:
    """Whether it lives, how busy it is, and what it takes of its host."""
    alive = monitoring.is_alive(server)
    children = [child for child in server.children.all() if monitoring.is_alive(child)] if alive else []
    memory = sum(child.memory for child in children)
    age = span(clock.now() - server.started_at) if alive else "–"
    return [
        Cell(_("Alive") if alive else _("Dead"), "ok" if alive else "error"),
        Cell(f"{server.busy:,} / {server.slots:,}" if alive else "–"),
        Cell(f"{sum(child.cpu for child in children):.0f} %" if memory else "–"),
        Cell(filesizeformat(memory) if memory else "–"),
        Cell(age),
    ]
