"""What the pages share that are no list of rows."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse

from ..authorizing import authorized
from .live import STYLE, LiveAdmin


class OfJobs(LiveAdmin):
    """Jobs in another way than the list: whoever may see jobs may see it; nothing is added, changed or erased."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and authorized(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("django_jobs.view_job"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def sees_payload(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.view_payload_job"))

    def url_of(self, page: str, *args: Any) -> str:
        name = f"admin:django_jobs_{self.opts.model_name}_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)


class PageAdmin(OfJobs):
    """A page without rows: `template` shows what `context` says."""

    template: str

    def get_urls(self) -> list[URLPattern]:
        return [url for url in super().get_urls() if (url.name or "").endswith("_changelist")]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method not in {"GET", "HEAD"}:
            raise PermissionDenied
        self.check_view(request)
        return self.page(request, self.template, {**self.context(request), **(extra_context or {})})

    def context(self, request: HttpRequest) -> dict[str, Any]:
        raise NotImplementedError

    def check_view(self, request: HttpRequest) -> None:
        """Raises PermissionDenied. Links are those of this admin site from here on."""
        request.current_app = self.admin_site.name
        if not self.has_view_permission(request):
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": STYLE}
        return TemplateResponse(request, f"admin/django_jobs/{template}", {**shared, **context})
