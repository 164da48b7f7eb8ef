"""Events: what happens to jobs, as a stream or by asking again and again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from .. import feed, states
from ..authorizing import authorized
from ..feed import Place
from ..streams.access import anew
from ..streams.hub import Full, told_of
from ..streams.response import Stream, let_go
from .base import View
from .permissions import sees_payload
from .schema import READ, operation
from .serializers import NAMES, Moment
from .stream import PAGE, Listener, Wanted

LIMITS = {"job": 18, "job_type": 200, "queue": 100, "user": 150, "state": 200}


class EventSerializer(serializers.Serializer[Any]):
    """A job was created, or entered a state. Without view_payload_job the reason has no message of an exception."""

    key = serializers.CharField(help_text="Of this event alone: `j7` is the creation of job 7, `s9` a change.")
    job = serializers.IntegerField()
    job_type = serializers.CharField()
    queue = serializers.CharField()
    user = serializers.CharField(help_text="Who created the job.")
    state = serializers.ChoiceField(choices=NAMES)
    reason = serializers.CharField(allow_blank=True)
    run = serializers.IntegerField()
    at = Moment()


class EventsSerializer(serializers.Serializer[Any]):
    """What happened since `after`; ask again with the new one, at once where there is `more`."""

    after = serializers.CharField()
    more = serializers.BooleanField()
    events = EventSerializer(many=True)


class StreamRenderer(BaseRenderer):
    """Lets `Accept: text/event-stream` be understood. Streams render themselves; what comes here is an error."""

    media_type = "text/event-stream"
    format = "sse"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return json.dumps(data).encode()


class Busy(APIException):
    status_code = 503
    default_detail = "This process has as many streams as it may have; ask with format=json, or later."
    default_code = "busy"
    wait = 5


def _text(name: str, told: str) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string", "maxLength": LIMITS.get(name, 4000)}, description=told)


PARAMETERS = [
    _text("after", "Where to begin, as an earlier answer said; without it: now."),
    OpenApiParameter("job", {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}, description="Of this job."),
    _text("job_type", "Of this type, in full."),
    _text("queue", "In this queue."),
    _text("user", "Of jobs that this user created."),
    _text("state", "Into a state, or one of several with commas."),
]


class Events(View):
    """What happens to jobs."""

    serializer_class = EventsSerializer
    pagination_class = None
    renderer_classes = [JSONRenderer, StreamRenderer]
    needs: ClassVar[dict[str, str]] = {"listen": "django_jobs.view_job"}

    @operation(
        {(200, "application/json"): EventsSerializer, (200, "text/event-stream"): str},
        *READ,
        503,
        parameters=PARAMETERS,
    )
    def listen(self, request: Request) -> Any:
        """What happened since; with `Accept: text/event-stream`, a stream of server-sent events as they happen.

        A stream that was interrupted goes on with the header `Last-Event-ID`, as browsers send it: nothing is lost.
        """
        wanted, place = _wanted(request), _place(request)
        if isinstance(request.accepted_renderer, StreamRenderer):
            return self._stream(request, wanted, place)
        if place is None:
            return Response({"after": str(feed.now()), "more": False, "events": []})
        found, then, more = feed.read(place, limit=PAGE)
        then = then if found else feed.within(then)
        payload = sees_payload(request)
        told = told_of([event for event in found if event in wanted], payload=payload)
        events = [one.facts(payload=payload) for one in told]
        return Response({"after": str(then), "more": more, "events": events})

    def _stream(self, request: Request, wanted: Wanted, place: Place | None) -> Stream:
        http = request._request
        payload = sees_payload(request)
        try:
            listener = Listener(wanted, place, payload=payload, may=self._asking(http, payload))
        except Full:
            raise Busy from None
        let_go()
        return Stream(listener, asynchronous=isinstance(http, ASGIRequest))

    def _asking(self, http: HttpRequest, payload: bool) -> Callable[[], bool]:
        """Asks whether who sent the request may still listen, as if he sent it now."""

        def may() -> bool:
            try:
                request = Request(anew(http), authenticators=self.get_authenticators())
                allowed = bool(request.user and request.user.is_authenticated and request.user.is_active)
                allowed = allowed and request.user.has_perm(self.needs["listen"]) and authorized(request._request)
                return allowed and sees_payload(request) >= payload
            except APIException:
                return False
            finally:
                let_go()

        return may


def _wanted(request: Request) -> Wanted:
    given = {name: request.query_params.get(name, "") for name in LIMITS}
    for name, text in given.items():
        if len(text) > LIMITS[name] or "\0" in text:
            raise ValidationError({name: [f"has at most {LIMITS[name]} characters, and no NUL"]})
    job, state = given.pop("job"), given.pop("state")
    if job and not (job.isascii() and job.isdecimal() and int(job)):
        raise ValidationError({"job": [f"is {job!r}; give its id"]})
    names = frozenset(state.split(",")) if state else frozenset()
    if wrong := sorted(names - set(states.ALL)):
        raise ValidationError({"state": [f"is {wrong[0]!r}; give {', '.join(states.ALL)}"]})
    return Wanted(int(job) if job else None, states=names, **given)


def _place(request: Request) -> Place | None:
    told = request.headers.get("Last-Event-ID")
    text = told or request.query_params.get("after", "")
    try:
        return Place.parse(text) if text else None
    except ValueError as error:
        raise ValidationError({"Last-Event-ID" if told else "after": [str(error)]}) from None
