"""What every page of the dashboard shows."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from ..conf import environment, settings
from ..dashboard import ways

register = template.Library()


@register.simple_tag(takes_context=True)
def dashboard_ways(context: Context, here: str = "") -> list[dict[str, Any]]:
    """The bar of links; the page that is `here` is marked."""
    return ways.ways(context["request"], here)


@register.simple_tag
def dashboard_environment() -> dict[str, str]:
    """The label of the setting ENVIRONMENT, and its colour."""
    label, colour = environment(settings.ENVIRONMENT)
    return {"label": label, "colour": colour}
