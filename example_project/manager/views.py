"""The page, and who may see it. Everything that it does is asked of the REST API, which has the last word."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from django_jobs import states

KEYS = {"pause": "p", "resume": "r", "cancel": "c"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@never_cache
@login_required(login_url="admin:login")
def manager(request: HttpRequest) -> HttpResponse:
    """The job manager, with the verbs that this user may use."""
    may_look = request.user.has_perm("django_jobs.view_job")
    verbs = [
        {"name": name, "key": key, "from": " ".join(sorted(states.VERBS[name].sources))}
        for name, key in KEYS.items()
        if request.user.has_perm(states.VERBS[name].permission)
    ]
    shown = {
        "may_look": may_look,
        "may_enqueue": request.user.has_perm("django_jobs.enqueue_job"),
        "verbs": verbs,
        "states": states.ALL,
    }
    answer = render(request, "manager/page.html", shown, status=200 if may_look else 403)
    answer.headers["Content-Security-Policy"] = POLICY
    return answer
