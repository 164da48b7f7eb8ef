"""The overview: problems first, then the numbers of this moment, graphs, queues and servers."""

from __future__ import annotations

from typing import Any

from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest
from django.utils.translation import gettext as _

from .. import monitoring
from ..conf import settings
from .charts import History
from .health import glance
from .live import STYLE
from .numbers import Now
from .pages import PageAdmin
from .ways import way

GRAPHS = Media(
    css={"all": ["django_jobs/overview.css"]},
    js=[Script("django_jobs/overview.js", defer=True)],  # type: ignore[list-item]
)
DAY, WEEK = 24, 7 * 24


def title() -> str:
    """The name that the site gives to its dashboard."""
    return str(settings.DASHBOARD_TITLE or _("Background jobs"))


class OverviewAdmin(PageAdmin):
    """The first page of the dashboard."""

    template = "overview/change_list.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        with monitoring.snapshot():
            return {
                "title": title(),
                "problems": self._problems(request),
                "now": Now(request),
                "charts": _charts(),
                "interval": int(settings.STATS_INTERVAL * 1000),
                "health_url": way(request, "health"),
                "media": STYLE + GRAPHS,
            }

    def _problems(self, request: HttpRequest) -> list[tuple[Any, str]]:
        """What is wrong, and where that is shown."""
        return [(row, way(request, row.finding.place)) for row in glance(payload=self.sees_payload(request))]


def _charts() -> list[History]:
    hours = monitoring.hourly(WEEK)
    return [
        History(_("Last 24 hours"), hours[-DAY:]),
        History(_("Last 7 days"), hours, step=4),
    ]
