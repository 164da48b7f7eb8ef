"""Pages without reload: each answers, asked so, with those of its live parts that have changed.

The parts are marked in templates by the tag `live`; the script `live.js` asks, and puts them in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern
from django.utils.cache import add_never_cache_headers, patch_vary_headers

from ..authorizing import authorized

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

KIND = "application/vnd.django-jobs.parts+json"
"""What is asked for instead of a page."""
STYLE = Media(
    css={"all": ["django_jobs/dashboard.css"]},
    js=[Script("django_jobs/live.js", defer=True), Script("django_jobs/keys.js", defer=True)],  # type: ignore[list-item]
)
"""Of every page of the dashboard."""
UNFOLD = Media(css={"all": ["django_jobs/unfold.css"]})
"""Where django-unfold is the admin's look."""
if apps.is_installed("unfold"):
    STYLE += UNFOLD


class Parts(dict[str, str]):
    """The live parts of a page by their ids, collected while it is rendered."""

    def __init__(self) -> None:
        super().__init__()
        self._stamps: dict[str, str] = {}

    def add(self, name: str, html: str, csrf_token: str) -> None:
        """`csrf_token` is another one each time: that alone is no change."""
        self[name] = html
        plain = html.replace(csrf_token, "") if csrf_token else html
        self._stamps[name] = f"{name}.{blake2b(plain.encode(), digest_size=6).hexdigest()}"

    @property
    def tag(self) -> str:
        return f'"{",".join(self._stamps.values())}"'

    def since(self, tag: str) -> dict[str, str]:
        """Those that are not as they were at that tag."""
        had = set(tag.removeprefix("W/").strip('"').split(","))
        return {name: html for name, html in self.items() if self._stamps[name] not in had}


class LiveAdmin(ModelAdmin):
    """Every page of it can be followed."""

    @property
    def media(self) -> Media:
        return super().media + STYLE

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and authorized(request)

    @property
    def urls(self) -> list[URLPattern]:
        return [_followed(pattern, self.admin_site.name) for pattern in super().urls]


def _followed(pattern: Any, site: str) -> Any:
    pattern.callback = live(pattern.callback, site)
    return pattern


def live(view: Callable[..., Any], site: str) -> Callable[..., Any]:
    """The view, which answers with its page's live parts where it is asked for them. Its links are of that site."""

    @wraps(view)
    def answering(request: Any, *args: Any, **kwargs: Any) -> Any:
        request.current_app = site
        if request.user.is_authenticated and not authorized(request):  # others are asked to log in first
            raise PermissionDenied
        response = view(request, *args, **kwargs)
        asked = request.method == "GET" and request.headers.get("Accept") == KIND
        return _parts(request, response) if asked and isinstance(response, SimpleTemplateResponse) else response

    return answering


def _parts(request: HttpRequest, response: SimpleTemplateResponse) -> HttpResponse:
    parts = Parts()
    with _collecting(request, parts):
        response.render()
    tag = request.headers.get("If-None-Match", "")
    changed = parts.since(tag)
    answer = JsonResponse({"parts": changed}) if changed or not tag else HttpResponseNotModified()
    answer.headers["ETag"] = parts.tag
    patch_vary_headers(answer, ["Accept"])
    add_never_cache_headers(answer)
    return answer


@contextmanager
def _collecting(request: Any, parts: Parts) -> Iterator[None]:
    """While the page is rendered. Messages wait for a page that shows them."""
    messages = getattr(request, "_messages", None)
    request.live_parts, request._messages = parts, []
    try:
        yield
    finally:
        request._messages = messages
        if messages is None:
            del request._messages
