"""What a site asks besides permissions: the setting ``AUTHORIZE``."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.utils.module_loading import import_string

from .conf import settings


def authorized(request: HttpRequest) -> bool:
    """Whether the site lets this request reach the dashboard, the REST API or the metrics at all.

    The setting is a callable that is given the request, or its dotted path. Permissions are asked all the same.
    """
    given: str | Callable[[HttpRequest], object] | None = settings.AUTHORIZE
    asked = import_string(given) if isinstance(given, str) else given
    return asked is None or bool(asked(request))
