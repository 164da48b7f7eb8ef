"""Tags of the dashboard's templates: parts that are kept up to date, and the bar that says so."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import FilterExpression, Node, NodeList, Parser, Token
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from ..conf import settings
from ..dashboard.watching import way

register = template.Library()

BY_THE_CLOCK = {"overview", "queues", "servers", "server", "health"}
"""Pages of numbers: they are looked at again every STATS_INTERVAL, whatever happens."""


class LiveNode(Node):
    """Its content stands in an element of its own, and is given to whoever follows the page."""

    def __init__(self, name: FilterExpression, nodelist: NodeList) -> None:
        self.name = name
        self.nodelist = nodelist

    def render(self, context: Any) -> SafeString:
        name, html = str(self.name.resolve(context)), self.nodelist.render(context)
        parts = getattr(context.get("request"), "live_parts", None)
        if parts is not None:
            parts.add(name, html, str(context.get("csrf_token", "")))
        return format_html('<div id="{}" data-live>{}</div>', name, mark_safe(html))


@register.tag
def live(parser: Parser, token: Token) -> LiveNode:
    """``{% live "id" %} … {% endlive %}``: a part of the page that is kept up to date; the id is its own."""
    try:
        _tag, name = token.split_contents()
    except ValueError:
        raise template.TemplateSyntaxError('live needs one argument: {% live "id" %}') from None
    nodelist = parser.parse(("endlive",))
    parser.delete_first_token()
    return LiveNode(parser.compile_filter(name), nodelist)


@register.inclusion_tag("admin/django_jobs/includes/bar.html", takes_context=True)
def page_bar(context: Any, here: str = "", jobs: Any = ()) -> dict[str, Any]:
    """What every page has: the switch for live updates, and the help for keys. Of `jobs`, if any, it hears alone."""
    request = context["request"]
    chosen = way(request)
    return {
        "is_live": chosen != "off",
        "way": chosen,
        "url": "" if here in BY_THE_CLOCK else _url(request),
        "jobs": ",".join(map(str, jobs)),
        "interval": f"{settings.STATS_INTERVAL:g}",
    }


def _url(request: Any) -> str:
    """Where to hear of jobs, for those who may."""
    if not request.user.has_perm("django_jobs.view_job"):
        return ""
    try:
        return reverse("admin:django_jobs_job_events", current_app=getattr(request, "current_app", None))
    except NoReverseMatch:  # a site without jobs
        return ""
