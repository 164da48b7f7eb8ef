"""Jobs: enqueue, list, look at, and everything that people do to them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters.rest_framework.backends import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from .. import client, clock, monitoring, search, states
from ..conf import settings
from ..masking import Mask
from ..models import Job
from ..search.refusals import SearchTimeout
from . import calls, waiting
from .acting import acting
from .base import View
from .calls import BulkSerializer, EnqueueSerializer
from .errors import Conflict
from .filters import JobFilters
from .idempotency import KEY, once
from .pagination import WindowedPages
from .permissions import sees_payload
from .schema import READ, WRITE, operation
from .serializers import (
    CancelSerializer,
    ConsoleSerializer,
    JobDetailSerializer,
    JobSerializer,
    RescheduleSerializer,
    StateSerializer,
    checked,
)

WAIT = OpenApiParameter(
    "wait",
    {"type": "number", "minimum": 0, "maximum": waiting.LONGEST},
    description="Wait so many seconds for its end.",
)
ENTRIES = 200
"""Changes of state that one request tells."""
BEFORE = OpenApiParameter("before", {"type": "integer", "minimum": 0}, description="Only entries with a lower id.")
AFTER = OpenApiParameter("after", {"type": "integer", "minimum": 0}, description="Only lines with a higher number.")


class TooSlow(APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = (
        "The database was stopped, the search took too long. Narrow it: by a state, a job type, a user, a batch or a "
        "job's number, which an index finds."
    )
    default_code = "too_slow"


class Jobs(ListModelMixin, View):
    """Background jobs."""

    serializer_class = JobSerializer
    pagination_class = WindowedPages
    filter_backends = [DjangoFilterBackend]
    filterset_class = JobFilters
    lookup_value_regex = "[0-9]{1,18}"
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["list", "retrieve", "states", "console"], "django_jobs.view_job"),
        **dict.fromkeys(["create", "bulk"], "django_jobs.enqueue_job"),
        **{verb.name: verb.permission for verb in states.VERBS.values()},
        "destroy": states.VERBS["delete"].permission,
    }

    def get_queryset(self) -> QuerySet[Job]:
        return monitoring.jobs()

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().filter_queryset(queryset) if self.action == "list" else queryset

    @operation({200: JobSerializer(many=True)}, *READ, 503)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first. Conditions that no index answers are looked for page by page: follow `next`.

        503 where the database was stopped, after the setting ``SEARCH_TIMEOUT``: narrow the search then.
        """
        try:
            with search.at_most(settings.SEARCH_TIMEOUT):
                return super().list(request, *args, **kwargs)
        except SearchTimeout:
            raise TooSlow from None

    @operation({200: JobDetailSerializer}, *READ, 503, parameters=[WAIT])
    def retrieve(self, request: Request, pk: str) -> Response:
        """One job; with `wait`, as soon as it has ended, or as it is when that time is over."""
        job = self.get_object()
        seconds = _number(request, "wait", waiting.LONGEST)
        if seconds and job.state not in states.ENDED:
            job = waiting.ended(job.pk, seconds) or self.get_object()
        return Response(JobDetailSerializer(job, context=self.get_serializer_context()).data)

    @operation({201: JobSerializer, 200: JobSerializer}, *WRITE, 409, 422, request=EnqueueSerializer, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Enqueue a call of a job type; 200 instead of 201 where a job is there that holds its unique key."""
        given = checked(EnqueueSerializer, request)
        began = clock.now()
        [job] = once(request, lambda: [calls.enqueue(given, request.user)])
        held = job.unique_key and job.created_at < began
        code = status.HTTP_200_OK if held else status.HTTP_201_CREATED
        return Response(self.get_serializer(job).data, status=code)

    @operation(
        {201: JobSerializer(many=True)}, *WRITE, 409, 422, request=BulkSerializer, filters=False, parameters=[KEY]
    )
    @action(detail=False, methods=["post"], pagination_class=None)
    def bulk(self, request: Request) -> Response:
        """Enqueue up to 1,000 calls, all or none."""
        given = checked(BulkSerializer, request)["jobs"]
        made = once(request, lambda: calls.enqueue_all(given, request.user))
        return Response(self.get_serializer(made, many=True).data, status=status.HTTP_201_CREATED)

    @operation({204: None}, *WRITE, 409)
    def destroy(self, request: Request, pk: str) -> Response:
        """Move it to Deleted; it stays there until its retention ends, and can be requeued."""
        self._do("delete")
        return Response(status=status.HTTP_204_NO_CONTENT)

    @operation({200: JobSerializer}, *WRITE, 409, request=CancelSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Do not run it, or ask its run to end; with `force`, the process in which it runs is killed and replaced."""
        return self._do("cancel", **checked(CancelSerializer, request))

    @operation({200: JobSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Hold it: a waiting job at once, a running one at its next checkpoint (`asked` says "pause" until then)."""
        return self._do("pause")

    @operation({200: JobSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Let it go on, from its last checkpoint."""
        return self._do("resume")

    @operation({200: JobSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def requeue(self, request: Request, pk: str) -> Response:
        """Run it again; failed attempts are counted anew."""
        return self._do("requeue")

    @operation({200: JobSerializer}, *WRITE, 409, request=RescheduleSerializer)
    @action(detail=True, methods=["post"])
    def reschedule(self, request: Request, pk: str) -> Response:
        """Run it at another time."""
        given = checked(RescheduleSerializer, request)
        return self._do("reschedule", given.get("when") or timedelta(seconds=given["delay"]))

    def _do(self, name: str, *args: Any, **options: Any) -> Response:
        job = self.get_object()
        with acting(self.request) as tell:
            moved = client.verb(name)([job.pk], *args, by=self.request.user, **options)
            if moved:
                tell("force" if options.get("force") else name, job)
        job = self.get_object()
        if not moved:
            sources = ", ".join(state for state in states.ALL if state in states.VERBS[name].sources)
            raise Conflict(f"Job {job.pk} is {job.state}; {name} is possible from {sources}.")
        return Response(self.get_serializer(job).data)

    @operation({200: StateSerializer(many=True)}, *READ, filters=False, parameters=[BEFORE])
    @action(detail=True, pagination_class=None)
    def states(self, request: Request, pk: str) -> Response:
        """Its history in order: the newest 200 changes, with the creation first where there are no earlier ones.

        Else the header `Link` has the address of those that came before.
        """
        job = self.get_object()
        before = int(_number(request, "before", 2**62))
        past = monitoring.past(job, before=before or None, limit=ENTRIES)
        context = {**self.get_serializer_context(), "job": job}
        return Response(StateSerializer(past.entries, many=True, context=context).data, headers=_earlier(request, past))

    @operation({200: ConsoleSerializer}, *READ, parameters=[AFTER], filters=False)
    @action(detail=True, pagination_class=None)
    def console(self, request: Request, pk: str) -> Response:
        """What it said, at most 1,000 lines a request, and its progress bars; lines for who may see payloads."""
        job = self.get_object()
        after = int(_number(request, "after", 10**15))
        lines = monitoring.console(job.pk, after=after) if sees_payload(request) else []
        mask = Mask(job)
        for line in lines:
            line.text = mask.text(line.text)
        told = {"lines": lines, "progress": monitoring.progress(job.pk)}
        return Response(ConsoleSerializer(told).data)


def _earlier(request: Request, past: monitoring.Past) -> dict[str, str]:
    if past.earlier is None:
        return {}
    return {"Link": f'<{request.build_absolute_uri(request.path)}?before={past.earlier}>; rel="prev"'}


def _number(request: Request, name: str, largest: float) -> float:
    """A query parameter from 0 to `largest`, 0 where it is missing."""
    text = request.query_params.get(name, "0")
    try:
        number = float(text[:30])
    except ValueError:
        number = -1.0
    if not 0 <= number <= largest:
        raise ValidationError({name: [f"is {text[:50]!r}; give a number from 0 to {largest:g}"]})
    return number
