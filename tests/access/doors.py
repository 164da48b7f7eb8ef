"""Every way into the dashboard and the API, with the permissions that it takes. A new address needs its lines here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from django_jobs.dashboard.failures import VERBS as CAUSE_VERBS
from django_jobs.dashboard.orders import ORDERS
from django_jobs.dashboard.queues import PERMISSIONS
from django_jobs.dashboard.recurringverbs import VERBS
from django_jobs.dashboard.verbs import DEEDS

HOME = "/admin/django_jobs/"
API = "/api/"
METRICS = "/metrics/"
METHODS = (("get", "post"), ("get", "post", "put", "patch", "delete"))
"""Those that a browser has, and those that the API knows."""
SIGNED_IN = ()


@dataclass(frozen=True)
class Door:
    """A method of an address. `{failed}` and the like stand for the key of such a row.

    In `needs`, "a|b" is one of both; to change something in the admin is to see it.
    `acts`: whoever gets through changes something. `silent`: whoever does not is sent back without an error.
    """

    method: str
    path: str
    needs: tuple[str, ...]
    body: Mapping[str, Any] = field(default_factory=dict)
    acts: bool = False
    silent: bool = False

    def opens_to(self, user: Any) -> bool:
        """What Django's own answer about the user's permissions means for this door."""
        if not (self.is_api or user.is_staff):
            return False
        alternatives = ([f"django_jobs.{name}" for name in need.split("|")] for need in self.needs)
        return all(any(map(user.has_perm, names)) for names in alternatives)

    @property
    def is_api(self) -> bool:
        return self.path.startswith((API, METRICS))

    def __str__(self) -> str:
        told = f" {dict(self.body)}" if self.silent else ""
        return f"{self.method.upper()} {self.path}{told}"

    def knock(self, browser: Client, rows: Mapping[str, Any]) -> Any:
        path = self.path.format(**rows)
        if self.is_api and self.method != "get":
            return getattr(browser, self.method)(path, json.dumps(self.body), content_type="application/json")
        body = {name: rows.get(value, value) for name, value in self.body.items()}
        return getattr(browser, self.method)(path, body)


def page(path: str, *needs: str, method: str = "get") -> Door:
    return Door(method, HOME + path, needs)


def act(path: str, *needs: str, **body: Any) -> Door:
    return Door("post", HOME + path, needs, body, acts=True)


def bulk(action: str, model: str, row: str, *needs: str) -> Door:
    body = {"action": action, "_selected_action": row, "index": "0", "post": "yes"}
    return Door("post", f"{HOME}{model}/", needs, body, acts=True, silent=True)


def read(path: str, *needs: str) -> Door:
    return Door("get", API + path, needs)


def call(method: str, path: str, *needs: str, **body: Any) -> Door:
    return Door(method, API + path, needs, body, acts=True)


def admin_pages(model: str, row: str) -> list[Door]:
    """What Django's admin has of every model, for looking."""
    view = f"view_{model}"
    return [
        page(f"{model}/", view),
        page(f"{model}/", view, method="post"),
        page(f"{model}/{row}/change/", view),
        page(f"{model}/{row}/history/", view),
        page(f"{model}/{row}/history/", view, method="post"),
        page(f"{model}/{row}/", *SIGNED_IN),
        page(f"{model}/{row}/", *SIGNED_IN, method="post"),
    ]


TERMS = {"job_type": "tests.succeeds", "cron": "0 2 * * *", "time_zone": "UTC"}
FORM = {
    **TERMS,
    **{"args": "[]", "kwargs": "{}", "queue": "", "priority": "0", "jitter": "0", "enabled": "on"},
    **{"misfire": "relaxed", "overlap": "allow"},
}
JOB = {"job_type": "tests.succeeds"}
LOCKED = ["job/add/", "job/{failed}/delete/", "batch/add/", "batch/{batch}/delete/", "server/add/"]
LOCKED += ["server/{server}/delete/"]

CLOSED = [*(HOME + path for path in LOCKED), API + "nowhere/"]
"""Addresses that let nobody through."""

DASHBOARD = [
    *admin_pages("job", "{failed}"),
    page("job/{processing}/live/", "view_job"),
    page("job/events/", "view_job"),
    page("job/{failed}/json/", "view_job"),
    page("job/{failed}/again/", "view_job", "enqueue_job"),
    act("job/{failed}/again/", "view_job", "enqueue_job", queue="default", priority="0", delay="0"),
    act("job/{failed}/verb/requeue/", "view_job", "requeue_job"),
    act("job/{scheduled}/verb/pause/", "view_job", "pause_job"),
    act("job/{paused}/verb/resume/", "view_job", "pause_job"),
    act("job/{enqueued}/verb/cancel/", "view_job", "cancel_job"),
    act("job/{processing}/verb/force/", "view_job", "cancel_job"),
    act("job/{failed}/verb/delete/", "view_job", "delete_job"),
    bulk("requeue_selected", "job", "failed", "view_job", "requeue_job"),
    bulk("pause_selected", "job", "scheduled", "view_job", "pause_job"),
    bulk("resume_selected", "job", "paused", "view_job", "pause_job"),
    bulk("cancel_selected", "job", "enqueued", "view_job", "cancel_job"),
    bulk("delete_jobs_selected", "job", "failed", "view_job", "delete_job"),
    page("overview/", "view_job"),
    page("failure/", "view_job"),
    page("failure/{cause}/", "view_job"),
    act("failure/{cause}/verb/requeue/", "view_job", "requeue_job"),
    act("failure/{cause}/verb/delete/", "view_job", "delete_job"),
    page("waitingretry/", "view_job"),
    page("waitingretry/", "view_job", method="post"),
    bulk("retry_now", "waitingretry", "retrying", "view_job", "requeue_job"),
    bulk("delete_retries", "waitingretry", "retrying", "view_job", "delete_job"),
    *admin_pages("batch", "{batch}"),
    page("batch/{batch}/expected/", "view_batch"),
    act("batch/{batch}/cancel/", "view_batch", "cancel_job"),
    *admin_pages("server", "{server}"),
    page("server/health/", "view_server|view_job"),
    act("server/{server}/order/quiet/", "view_server", "stop_server"),
    act("server/{quiet}/order/resume/", "view_server", "stop_server"),
    act("server/{server}/order/stop/", "view_server", "stop_server"),
    page("queue/", "view_queue"),
    page("queue/", "view_queue", method="post"),
    act("queue/default/order/pause/", "view_queue", "pause_queue"),
    act("queue/critical/order/resume/", "view_queue", "pause_queue"),
    act("queue/default/order/purge/", "view_queue", "purge_queue", confirmed="yes"),
    act("queue/default/order/limit/", "change_queue", max_concurrency="3"),
    *admin_pages("recurringjob", "nightly"),
    page("recurringjob/collisions/", "view_recurringjob"),
    page("recurringjob/preview/?cron=@daily&time_zone=UTC", "view_recurringjob|change_recurringjob|add_recurringjob"),
    page("recurringjob/add/", "add_recurringjob"),
    act("recurringjob/add/", "add_recurringjob", id="another", **FORM),
    act("recurringjob/nightly/change/", "change_recurringjob", **{**FORM, "cron": "0 3 * * *"}),
    page("recurringjob/nightly/delete/", "delete_recurringjob"),
    act("recurringjob/nightly/delete/", "delete_recurringjob", post="yes"),
    act("recurringjob/nightly/verb/trigger/", "view_recurringjob", "trigger_recurringjob"),
    act("recurringjob/nightly/verb/disable/", "change_recurringjob"),
    act("recurringjob/resting/verb/enable/", "change_recurringjob"),
    bulk("trigger_selected", "recurringjob", "nightly", "view_recurringjob", "trigger_recurringjob"),
    bulk("disable_selected", "recurringjob", "nightly", "change_recurringjob"),
    bulk("delete_selected", "recurringjob", "nightly", "view_recurringjob", "delete_recurringjob"),
    bulk("enable_selected", "recurringjob", "resting", "change_recurringjob"),
]

REST = [
    read("jobs/", "view_job"),
    call("post", "jobs/", "enqueue_job", **JOB),
    call("post", "jobs/bulk/", "enqueue_job", jobs=[JOB]),
    read("jobs/{failed}/", "view_job"),
    read("jobs/{failed}/states/", "view_job"),
    read("jobs/{failed}/console/", "view_job"),
    call("post", "jobs/{scheduled}/pause/", "pause_job"),
    call("post", "jobs/{paused}/resume/", "pause_job"),
    call("post", "jobs/{failed}/reschedule/", "requeue_job", delay=9),
    call("post", "jobs/{failed}/requeue/", "requeue_job"),
    call("post", "jobs/{enqueued}/cancel/", "cancel_job"),
    call("delete", "jobs/{failed}/", "delete_job"),
    read("batches/", "view_batch"),
    read("batches/{batch}/", "view_batch"),
    read("batches/{batch}/jobs/", "view_job"),
    call("post", "batches/{batch}/cancel/", "cancel_job"),
    read("job-types/", "view_job"),
    read("estimates/job-types/nightly/", "view_job"),
    read("estimates/jobs/{failed}/", "view_job"),
    read("estimates/batches/{batch}/", "view_batch"),
    read("estimates/queues/", "view_queue"),
    read("estimates/collisions/", "view_recurringjob"),
    read("events/", "view_job"),
    read("stats/", "view_job"),
    read("queues/", "view_queue"),
    read("queues/default/", "view_queue"),
    call("post", "queues/default/pause/", "pause_queue", seconds=60),
    call("post", "queues/critical/resume/", "pause_queue"),
    call("post", "queues/default/purge/", "purge_queue"),
    read("servers/", "view_server"),
    read("servers/{server}/", "view_server"),
    call("post", "servers/{server}/quiet/", "stop_server"),
    call("post", "servers/{quiet}/resume/", "stop_server"),
    call("post", "servers/{server}/stop/", "stop_server"),
    read("recurring-jobs/", "view_recurringjob"),
    call("post", "recurring-jobs/", "add_recurringjob", id="another", **TERMS),
    read("recurring-jobs/nightly/", "view_recurringjob"),
    call("put", "recurring-jobs/nightly/", "change_recurringjob", **{**TERMS, "cron": "0 3 * * *"}),
    call("patch", "recurring-jobs/nightly/", "change_recurringjob", cron="0 3 * * *"),
    read("recurring-jobs/nightly/runs/", "view_job"),
    read("recurring-jobs/nightly/next-runs/", "view_recurringjob"),
    call("post", "recurring-jobs/nightly/trigger/", "trigger_recurringjob"),
    call("post", "recurring-jobs/nightly/disable/", "change_recurringjob"),
    call("post", "recurring-jobs/resting/enable/", "change_recurringjob"),
    call("delete", "recurring-jobs/nightly/", "delete_recurringjob"),
    read("schema/", *SIGNED_IN),
    read("docs/", *SIGNED_IN),
]

DOORS = [*DASHBOARD, *REST, Door("get", METRICS, ("view_job",))]
WORDS: dict[str, set[str]] = {
    "job": set(DEEDS),
    "failure": set(CAUSE_VERBS),
    "server": set(ORDERS),
    "queue": set(PERMISSIONS),
    "recurringjob": set(VERBS),
}
"""What may stand at the end of an address that takes a verb or an order."""


def closed() -> list[Door]:
    """What nobody gets through: methods that an open address does not have, and addresses that have none."""
    open_ways = {(door.method, door.path) for door in DOORS}
    paths = dict.fromkeys([*(door.path for door in DOORS), *CLOSED])
    ways = [(method, path) for path in paths for method in METHODS[path.startswith(API)]]
    return [Door(method, path, ("nobody",)) for method, path in ways if (method, path) not in open_ways]


def addresses() -> dict[str, Any]:
    """Every route of ours that the site has, with its view."""
    routes = _walk(get_resolver().url_patterns, "")
    return {
        route: view
        for route, view in routes
        if not route.startswith("admin/") or route.startswith("admin/django_jobs/")
    }


def _walk(patterns: list[Any], before: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = before + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def actions(request: HttpRequest) -> set[tuple[str, str]]:
    """Every bulk action that the lists of this section offer."""
    ours = [one for model, one in admin.site._registry.items() if model._meta.app_label == "django_jobs"]
    return {(one.opts.model_name or "", name) for one in ours for name in one.get_actions(request)}
