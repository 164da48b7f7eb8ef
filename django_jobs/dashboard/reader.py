"""Whoever looks at a page: what he may see, and the addresses of the admin in which he is."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property

from .objects import Objects


class Reader:
    """A user in an admin site."""

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self.request = request
        self.site = site

    def may(self, permission: str) -> bool:
        """Whether he has a permission of ours, by its codename."""
        return bool(self.request.user.has_perm(f"django_jobs.{permission}"))

    @cached_property
    def payload(self) -> bool:
        """Whether he may see arguments, results and messages of errors."""
        return self.may("view_payload_job")

    @cached_property
    def objects(self) -> Objects:
        return Objects(self.request, self.site)

    def url(self, page: str, *args: Any) -> str:
        return reverse(f"admin:django_jobs_{page}", args=args, current_app=self.site.name)
