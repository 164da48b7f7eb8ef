"""Two filters of the shop: a log of every job, and the tenant, language and time zone of whoever enqueued it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from django_jobs import Filter, JobContext
from django_jobs.models import Job
from django_jobs.states.filters import Creation

logger = logging.getLogger("shop.jobs")


class JobLog(Filter):
    """A line when a job is created, when it starts, and when it ends, with how long it took."""

    def created(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            logger.info("created %s in queue %s", job, job.queue)

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        began = time.monotonic()
        logger.info("#%d %s starts, attempt %d", ctx.id, ctx.job_type, ctx.attempt)
        how = "raised"
        try:
            result = proceed()
            how = "returned"
            return result
        finally:
            logger.info("#%d %s %s after %.3f s", ctx.id, ctx.job_type, how, time.monotonic() - began)


tenant: ContextVar[str] = ContextVar("tenant", default="")


def tenant_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """For Django's MIDDLEWARE: the tenant of a request is the first part of its host name."""

    def call(request: HttpRequest) -> HttpResponse:
        token = tenant.set(request.get_host().partition(".")[0])
        try:
            return get_response(request)
        finally:
            tenant.reset(token)

    return call


class TenantContext(Filter):
    """A job runs for the tenant, and in the language and time zone, of whoever enqueued it."""

    def creating(self, creation: Creation) -> None:
        creation.headers.setdefault("tenant", tenant.get())
        creation.headers.setdefault("language", translation.get_language())
        creation.headers.setdefault("time_zone", timezone.get_current_timezone_name())

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        known = ctx.headers
        token = tenant.set(known.get("tenant", ""))
        try:
            with translation.override(known.get("language")), timezone.override(known.get("time_zone")):
                return proceed()
        finally:
            tenant.reset(token)
