"""The graph around a job or a batch as a picture: boxes that link, lines with their conditions, all of it as SVG."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from ..kinship import Edge, Kin
from ..models import Batch, Job, JobDependency
from .display import LABELS
from .layout import Layout, layered
from .reader import Reader

WIDTH, HEIGHT = 200, 44
"""Of a box."""
ACROSS, DOWN = 100, 14
"""Between boxes."""
EDGE = 8
LETTERS = 24
CONDITIONS: dict[str, Any] = dict(JobDependency.On.choices)
BATCH_COLOURS = {"started": "processing", "succeeded": "succeeded", "finished": "deleted"}


@dataclass(frozen=True)
class Box:
    """A job or a batch; without an address where it is no longer stored, or not to be seen."""

    x: int
    y: int
    title: str
    line: str
    state: str
    colour: str
    url: str = ""
    is_here: bool = False
    is_batch: bool = False

    @property
    def told(self) -> str:
        """All of it for those who hear it; the box has room for the beginning."""
        here = [_("this one")] if self.is_here else []
        return ", ".join([*(part for part in (self.title, self.line, self.state) if part), *here])

    @property
    def short(self) -> str:
        return Truncator(self.line).chars(LETTERS)


@dataclass(frozen=True)
class Line:
    """From one box to another."""

    path: str
    told: str
    style: str


@dataclass(frozen=True)
class Note:
    """A condition, where the lines under it arrive."""

    x: int
    y: int
    text: str


class Drawing:
    """A graph with its places; `kin.more` says how many nodes it has no room for."""

    def __init__(self, kin: Kin, reader: Reader) -> None:
        self.kin = kin
        self._reader = reader

    @cached_property
    def _layout(self) -> Layout:
        return layered(self.kin.nodes, [(edge.before, edge.after) for edge in self._drawn])

    @cached_property
    def _drawn(self) -> list[Edge]:
        """Without memberships that are plain from others: of two members in a row, the later leads to the batch."""
        leads = {
            (edge.before, kept.batch_id)
            for edge in self.kin.edges
            if edge.on != "member" and (kept := self.kin.jobs.get(edge.after)) is not None
        }
        return [edge for edge in self.kin.edges if edge.on != "member" or (edge.before, -edge.after) not in leads]

    @property
    def width(self) -> int:
        return self._layout.columns * (WIDTH + ACROSS) - ACROSS + 2 * EDGE

    @property
    def height(self) -> int:
        return int(self._layout.rows * (HEIGHT + DOWN)) - DOWN + 2 * EDGE

    @cached_property
    def boxes(self) -> list[Box]:
        return [self._box(node) for node in self.kin.nodes]

    def _box(self, node: int) -> Box:
        job, batch = self.kin.jobs.get(node), self.kin.batches.get(-node)
        x, y = self._corner(self._layout.places[node])
        here = node == self.kin.centre
        if job is not None:
            return self._job(job, x, y, here=here)
        if batch is not None:
            return self._batch(batch, x, y, here=here)
        title = f"#{node}" if node > 0 else _("Batch #%(id)s") % {"id": -node}
        return Box(x, y, title, _("no longer stored"), "", "gone", is_batch=node < 0)

    def _job(self, job: Job, x: int, y: int, *, here: bool) -> Box:
        url = self._reader.url("job_change", job.pk) if self._reader.may("view_job") else ""
        return Box(x, y, f"#{job.pk}", job.job_type, str(LABELS[job.state]), job.state, url, here)

    def _batch(self, batch: Batch, x: int, y: int, *, here: bool) -> Box:
        url = self._reader.url("batch_change", batch.pk) if self._reader.may("view_batch") else ""
        state = _("Cancelled") if batch.cancelled_at else str(batch.get_state_display())
        colour = "deleted" if batch.cancelled_at else BATCH_COLOURS[batch.state]
        title = _("Batch #%(id)s") % {"id": batch.pk}
        return Box(x, y, title, batch.description, state, colour, url, here, is_batch=True)

    @staticmethod
    def _corner(place: tuple[int, float]) -> tuple[int, int]:
        return EDGE + place[0] * (WIDTH + ACROSS), EDGE + int(place[1] * (HEIGHT + DOWN))

    @cached_property
    def lines(self) -> list[Line]:
        return [self._line(edge) for edge in self._drawn if (edge.before, edge.after) in self._layout.ways]

    def _line(self, edge: Edge) -> Line:
        places = self._layout.places
        passed = self._layout.ways[edge.before, edge.after]
        corners = [self._corner(place) for place in (places[edge.before], *passed, places[edge.after])]
        x, y = corners[0][0] + WIDTH, corners[0][1] + HEIGHT // 2
        path = [f"M{x} {y}"]
        for left, top in corners[1:]:
            middle, level = (x + left) // 2, top + HEIGHT // 2
            path.append(f"C{middle} {y} {middle} {level} {left} {level}")
            x, y = left + WIDTH, level
            path.append(f"H{x}")
        name = {True: "met", False: "unmet", None: "open"}[edge.met]
        return Line(" ".join(path[:-1]), self._told(edge), f"dj-on-{edge.on} dj-{name}")

    def _told(self, edge: Edge) -> str:
        names = {"before": self._name(edge.before), "after": self._name(edge.after)}
        if edge.on == "member":
            return _("%(before)s belongs to %(after)s") % names
        return _("%(after)s waits for %(before)s: %(condition)s") % {**names, "condition": CONDITIONS[edge.on]}

    @staticmethod
    def _name(node: int) -> str:
        return f"#{node}" if node > 0 else _("Batch #%(id)s") % {"id": -node}

    @cached_property
    def notes(self) -> list[Note]:
        """Each condition of what leads to a box, once."""
        conditions: dict[int, dict[str, None]] = defaultdict(dict)
        for edge in self._drawn:
            if edge.on != "member":
                conditions[edge.after][edge.on] = None
        return [
            Note(x - 12, y + HEIGHT // 2 - 6, ", ".join(str(CONDITIONS[name]) for name in names))
            for node, names in conditions.items()
            for x, y in [self._corner(self._layout.places[node])]
        ]
