"""How parents, children and batches look on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import kinship, relations
from ..models import Batch, JobDependency
from ..policies.batches import Progress
from .display import badge

CONDITIONS = dict(JobDependency.On.choices)


@dataclass(frozen=True)
class Relative:
    """The job or batch at the other end of an edge."""

    link: relations.Link

    @property
    def condition(self) -> Any:
        return CONDITIONS.get(self.link.on, self.link.on)

    @property
    def badge(self) -> SafeString | str:
        if self.link.job is not None:
            return badge(self.link.job.state)
        return batch_badge(self.link.batch) if self.link.batch is not None else ""


@dataclass(frozen=True)
class Family:
    """Relatives of one kind, the first of them."""

    members: list[Relative]

    @property
    def is_cut(self) -> bool:
        return len(self.members) >= relations.SHOWN


def family(links: list[relations.Link]) -> Family:
    return Family([Relative(link) for link in links])


def batch_badge(batch: Batch) -> SafeString:
    """The batch's state on its colour."""
    if batch.cancelled_at is not None:
        return format_html('<span class="dj-badge dj-state-deleted">{}</span>', _("Cancelled"))
    colour = {"started": "processing", "succeeded": "succeeded", "finished": "deleted"}.get(batch.state, "scheduled")
    return format_html('<span class="dj-badge dj-state-{}">{}</span>', colour, batch.get_state_display())


def bar(now: Progress) -> SafeString:
    """The progress as a bar and in numbers."""
    told = _("%(done)s done, %(failed)s failed, %(deleted)s deleted of %(total)s") % {
        name: f"{getattr(now, name):,}" for name in ("done", "failed", "deleted", "total")
    }
    return format_html(
        '<span class="dj-bar"><progress value="{}" max="{}" aria-label="{}"></progress>'
        '<span class="dj-bar-standing">{}&nbsp;% · {}</span></span>',
        now.ended,
        max(1, now.total) if now.total else 1,
        _("Progress"),
        now.percent,
        told,
    )


class Relatives:
    """What a job's page tells of its nearest relatives, in words."""

    def __init__(self, kin: kinship.Kin) -> None:
        self.kin = kin

    @cached_property
    def parents(self) -> Family:
        return self._of([(edge, edge.before) for edge in self.kin.edges if edge.after == self.kin.centre])

    @cached_property
    def children(self) -> Family:
        return self._of([(edge, edge.after) for edge in self.kin.edges if edge.before == self.kin.centre])

    def _of(self, ends: list[tuple[kinship.Edge, int]]) -> Family:
        waits = [(edge, node) for edge, node in ends if edge.on != "member"][: relations.SHOWN]
        jobs, batches = self.kin.jobs, self.kin.batches
        return family([relations.Link(edge.on, edge.met, jobs.get(node), batches.get(-node)) for edge, node in waits])

    @property
    def batch(self) -> Batch | None:
        job = self.kin.jobs.get(self.kin.centre)
        return None if job is None or job.batch_id is None else self.kin.batches.get(job.batch_id)
