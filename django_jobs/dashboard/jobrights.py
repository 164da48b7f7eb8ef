"""Who may see and do what with jobs in the admin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from .. import states
from ..models import Job

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Job]
else:
    ModelAdmin = admin.ModelAdmin


class JobRights(ModelAdmin):
    """Jobs are made and changed by code alone; each verb has its permission."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        """Django would delete the row itself; to delete a job is a verb here."""
        return False

    def has_requeue_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "requeue")

    def has_cancel_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "cancel")

    def has_pause_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "pause")

    def has_resume_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "resume")

    def has_delete_jobs_permission(self, request: HttpRequest) -> bool:
        return self._has_permission(request, "delete")

    def sees_payload(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("django_jobs.view_payload_job"))

    def _has_permission(self, request: HttpRequest, verb: str) -> bool:
        return bool(request.user.has_perm(states.VERBS[verb].permission))

    def may(self, request: HttpRequest, verb: str) -> bool:
        allowed: Callable[[HttpRequest], bool] = getattr(self, f"has_{verb}_jobs_permission")
        return allowed(request)
