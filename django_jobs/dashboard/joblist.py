"""The list of jobs: tabs, search and filters that never look at more rows than they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .. import monitoring, states
from ..models import Job
from ..monitoring import Count
from .display import LABELS

FAT = ("args", "kwargs", "result", "tags")
INDEXED: tuple[set[str], ...] = (set(), {"state"}, {"job_type"}, {"creator"})
"""Conditions that an index answers by itself, newest first."""


if TYPE_CHECKING:
    JobPaginator = Paginator[Job]
else:
    JobPaginator = Paginator


class CappedPaginator(JobPaginator):
    """Counts no further than the cap: the list ends there, and says so."""

    @cached_property
    def count(self) -> int:
        return monitoring.capped_count(self.object_list).number  # type: ignore[arg-type]


@dataclass(frozen=True)
class Tab:
    """A state above the list; `count` is None for all jobs, which nobody counts."""

    state: str
    label: Any
    url: str
    count: Count | None
    active: bool


class JobList(ChangeList):
    """Newest first, whatever is asked; a condition without an index sees the newest jobs only."""

    floor: int | None = None
    """Jobs up to this id were not looked at."""

    @property
    def chosen(self) -> list[str]:
        return self.filter_params.get("state", [])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Job]:
        self._refuse_nonsense()
        queryset: QuerySet[Job] = super().get_queryset(request, exclude_parameters).defer(*self._unseen())
        self.floor = None if self._is_indexed() else monitoring.floor(self._looked_at())
        return queryset if self.floor is None else queryset.filter(pk__gt=self.floor)

    def _refuse_nonsense(self) -> None:
        if not set(self.chosen) <= set(states.ALL):
            raise IncorrectLookupParameters("There is no such state")
        if any("\0" in value for values in self.filter_params.values() for value in values):
            raise IncorrectLookupParameters("No database stores a NUL character")

    def _unseen(self) -> list[str]:
        shown = {*self.list_display, *(("args", "kwargs") if "call" in self.list_display else ())}
        return [name for name in FAT if name not in shown]

    def _is_indexed(self) -> bool:
        if self.query:
            return monitoring.job_number(self.query) is not None
        return set(self.get_filters_params()) in INDEXED

    def _looked_at(self) -> QuerySet[Job]:
        """What the newest jobs are taken of: those of the tab or of the type, where an index finds them."""
        if len(self.chosen) == 1 and self.chosen[0] != states.SUCCEEDED:
            return monitoring.jobs().filter(state=self.chosen[0])
        types = self.filter_params.get("job_type", [])
        return monitoring.jobs().filter(job_type=types[-1]) if types else monitoring.jobs()

    @property
    def window(self) -> Count | None:
        """How many jobs were looked at, where it was not all of them."""
        return None if self.floor is None else Count(monitoring.WINDOW)

    @property
    def cap(self) -> Count | None:
        """Where the list ends although more jobs may match."""
        return Count(monitoring.CAP) if self.result_count >= monitoring.CAP else None

    def tabs(self) -> list[Tab]:
        everything = Tab("", _("All"), self.get_query_string(remove=["state"]), None, not self.chosen)
        return [everything, *(self._tab(state, count) for state, count in monitoring.counts().items())]

    def _tab(self, state: str, count: Count) -> Tab:
        return Tab(state, LABELS[state], self.get_query_string({"state": state}), count, self.chosen == [state])
