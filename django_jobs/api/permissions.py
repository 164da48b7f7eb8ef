"""Who may do what: the same permissions as in the dashboard, by action."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from ..authorizing import authorized

PAYLOAD = "django_jobs.view_payload_job"


class MayAct(BasePermission):
    """A view names the permission of each of its actions in `needs`; an action that it does not name is refused."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (request.user and request.user.is_authenticated):
            return False
        if not authorized(request._request):
            return False
        action = getattr(view, "action", None)
        if action is None:  # a method that this address does not have: 405, whoever asks
            return True
        needed = view.needs.get("retrieve" if action == "metadata" else action)
        return needed is not None and request.user.has_perm(needed)


class MayRead(BasePermission):
    """Whoever is logged in, for what tells nothing of jobs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated) and authorized(request._request)


def sees_payload(request: Request) -> bool:
    """Whether arguments, results and messages of exceptions may be shown."""
    return bool(request.user and request.user.has_perm(PAYLOAD))
