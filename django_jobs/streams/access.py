"""Whether who began to listen may go on."""

from __future__ import annotations

import copy
from importlib import import_module

from django.conf import settings as site
from django.contrib.auth import get_user
from django.http import HttpRequest


def anew(http: HttpRequest) -> HttpRequest:
    """The request without what was remembered of its session and its user, as if it were sent now."""
    again = copy.copy(http)
    again.__dict__.pop("_cached_user", None)
    session = getattr(http, "session", None)
    if session is not None:
        again.session = import_module(site.SESSION_ENGINE).SessionStore(session.session_key)
        again.user = get_user(again)
    return again
