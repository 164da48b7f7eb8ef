"""The list of jobs: tabs with counts, and pages by key that never look at more rows than they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import monitoring, search, slas, states
from ..conf import settings
from ..models import Job
from ..monitoring import Count
from ..registry import registry
from ..search import NEWEST, Key, Order, Page, Search
from ..search.refusals import BadSearch, SearchTimeout
from .display import LABELS
from .jobsearch import (
    AFTER,
    BEFORE,
    FURTHER,
    OWN,
    PLACE,
    SIZE,
    SIZES,
    asked_for,
    columns_that_sort,
    key_as_text,
    key_from,
    order_of,
    size_of,
)

FAT = ("args", "kwargs", "result", "tags", "headers")


@dataclass(frozen=True)
class Tab:
    """A state above the list; `count` is None for all jobs, which nobody counts."""

    state: str
    label: Any
    url: str
    count: Count | None
    active: bool


class JobList(ChangeList):
    """What is asked for is one search; it is walked along an index, page by page."""

    model_admin: Any
    payload: bool = False
    asked: Search | None = None
    problem: str = ""
    """What is wrong with the search, in words."""
    order: Order = NEWEST
    size: int = 0
    older: Key | None = None
    newer: Key | None = None
    cut: Count | None = None
    """How many jobs were looked at, where it stopped before all were."""

    @property
    def chosen(self) -> list[str]:
        return self.filter_params.get("state", [])

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        return {name: value for name, value in super().get_filters_params(params).items() if name not in OWN}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Whatever is asked anew begins at the first page."""
        kept = set(new_params or {})
        return super().get_query_string(new_params, [*(remove or []), *(name for name in PLACE if name not in kept)])

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        names = [str(name) for name in super().get_ordering(request, queryset) if self.params.get(ORDER_VAR)]
        self.order = order_of(names, columns_that_sort(request), scheduled=self.chosen == [states.SCHEDULED])
        return ["-pk"]

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet[Job]:
        super().get_queryset(request, exclude_parameters)  # Django's checks of the address
        self.size = size_of(request, self.list_per_page)
        try:
            self.payload = self.model_admin.sees_payload(request)
            self.asked = asked_for(request, payload=self.payload)
        except BadSearch as error:
            self.problem = str(error)
            return self.root_queryset.none()
        return self.asked.narrow(self.root_queryset)

    def get_results(self, request: HttpRequest) -> None:
        page = self._page(request)
        self._link(request, page)
        self.result_list: Any = page.jobs
        self.result_count = len(page.jobs) + bool(self.older)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(page.jobs)
        self.paginator = Paginator(page.jobs, self.size)
        self._decorate(request)

    def _page(self, request: HttpRequest) -> Page:
        if self.asked is None:
            return Page([])
        at, backwards = self._place(request)
        order = self.order._replace(descending=self.order.descending != backwards)
        seconds = settings.SEARCH_TIMEOUT if FURTHER in request.GET else search.SHORT
        jobs = self.root_queryset.defer(*self._unseen()).order_by()
        try:
            with search.at_most(settings.SEARCH_TIMEOUT):
                way = search.walk(jobs, self.asked, order)
                return search.page(way, at, size=self.size, seconds=seconds)
        except SearchTimeout:
            self.problem = _(
                "The database was stopped after %(seconds)g seconds. Narrow the search: a job type, a state such as "
                "Failed, a user, a batch or a job's number are found by an index; text and arguments are not."
            ) % {"seconds": settings.SEARCH_TIMEOUT}
            return Page([])

    def _place(self, request: HttpRequest) -> tuple[Key | None, bool]:
        backwards = BEFORE in request.GET
        text = request.GET.get(BEFORE if backwards else AFTER)
        return (None if text is None else key_from(text, self.order)), backwards

    def _link(self, request: HttpRequest, page: Page) -> None:
        """Where the pages before and behind this one begin."""
        at, backwards = self._place(request)
        if backwards:
            page.jobs.reverse()
        first = search.key(page.jobs[0], self.order) if page.jobs else None
        last = search.key(page.jobs[-1], self.order) if page.jobs else None
        self.cut = Count(page.looked) if page.cut else None
        self.newer, self.older = (page.next, last) if backwards else (at and first, page.next)

    def _decorate(self, request: HttpRequest) -> None:
        """Running jobs come with their progress, jobs with service levels with their breaches, by one query each."""
        running = {job.pk: job for job in self.result_list if job.state == states.PROCESSING}
        for job_id, bar in monitoring.first_bars(running).items() if running else ():
            running[job_id].bar = bar
        watched = {job.pk: job for job in self.result_list if (known := registry.find(job.job_type)) and known.has_sla}
        for job_id, breaches in slas.breached(watched).items():
            watched[job_id].sla = breaches
        for job in self.result_list:
            job.offers = self.model_admin.row_buttons(request, job)

    def _unseen(self) -> list[str]:
        shown = {*self.list_display, *(("args", "kwargs") if "call" in self.list_display else ())}
        return [name for name in FAT if name not in shown]

    # What the page shows

    @property
    def may_act_on_all(self) -> bool:
        return bool(self.model_admin.may_act_on_all())

    def tabs(self) -> list[Tab]:
        everything = Tab("", gettext_lazy("All"), self._tab_url(None), None, not self.chosen)
        return [everything, *(self._tab(state, count) for state, count in monitoring.counts().items())]

    def _tab(self, state: str, count: Count) -> Tab:
        return Tab(state, LABELS[state], self._tab_url(state), count, self.chosen == [state])

    def _tab_url(self, state: str | None) -> str:
        return self.get_query_string({"state": state, ORDER_VAR: None})

    @property
    def paged(self) -> bool:
        """Whether this is another page than the first."""
        return not {AFTER, BEFORE}.isdisjoint(self.params)

    def newest_url(self) -> str:
        return self.get_query_string()

    def newer_url(self) -> str:
        return self.get_query_string({BEFORE: key_as_text(self.newer)}) if self.newer else ""

    def older_url(self) -> str:
        return self.get_query_string({AFTER: key_as_text(self.older)}) if self.older else ""

    def further_url(self) -> str:
        return self.get_query_string({AFTER: key_as_text(self.older), FURTHER: 1}) if self.older else ""

    def sizes(self) -> list[tuple[int, str]]:
        return [(size, self.get_query_string({SIZE: size})) for size in sorted({*SIZES, self.list_per_page})]

    @cached_property
    def hidden(self) -> list[tuple[str, str]]:
        """What the search box must carry on."""
        return [(name, value) for name, value in self.params.items() if name not in {*PLACE, "q"}]

    def fields(self) -> list[tuple[str, str]]:
        """The language of searches, in examples."""
        named = search.FIELDS.items()
        return [(one.example, search.EXPLAINED[name]) for name, one in named if self.payload or not one.hidden]
