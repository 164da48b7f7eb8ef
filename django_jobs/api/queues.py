"""Queues: what waits in them, and who may hold them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.http import Http404
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from .. import monitoring, queues, steering
from ..conf import settings
from ..models import Queue
from .acting import acting, told
from .base import View
from .schema import READ, WRITE, operation
from .serializers import LONGEST, Moment, Seconds, Strict, checked


class QueueSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    waiting = serializers.IntegerField(help_text="Jobs enqueued or waiting for a limit, counted up to `capped_at`.")
    capped = serializers.BooleanField(help_text="Whether there are more than were counted.")
    oldest = Moment(allow_null=True, help_text="Since when the oldest of them waits.")
    servers = serializers.IntegerField(help_text="Live servers that take it.")
    paused = serializers.BooleanField()
    paused_until = Moment(allow_null=True)


class PauseSerializer(Strict):
    until = Moment(required=False, help_text="When the pause ends by itself.")
    seconds = Seconds(required=False, min_value=0, max_value=LONGEST, help_text="The same, from now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) > 1:
            raise serializers.ValidationError({"seconds": ["is given together with until; give one of them"]})
        return attrs


class PurgedSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField()


class Queues(View):
    """The site's queues."""

    serializer_class = QueueSerializer
    pagination_class = None
    lookup_field = "name"
    lookup_value_regex = "[^/]{1,100}"
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["list", "retrieve"], "django_jobs.view_queue"),
        **dict.fromkeys(["pause", "resume"], "django_jobs.pause_queue"),
        "purge": "django_jobs.purge_queue",
    }

    @operation({200: QueueSerializer(many=True)}, *READ)
    def list(self, request: Request) -> Response:
        """In the order in which a server takes them."""
        return Response(self.get_serializer(_queues(), many=True).data)

    @operation({200: QueueSerializer}, *READ)
    def retrieve(self, request: Request, name: str) -> Response:
        return self._told(name)

    @operation({200: QueueSerializer}, *WRITE, request=PauseSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, name: str) -> Response:
        """Claim nothing from it any more, on all servers; what runs goes on."""
        self._known(name)
        given = checked(PauseSerializer, request)
        seconds = given.get("seconds")
        until = given.get("until") or (None if seconds is None else timedelta(seconds=seconds))
        with acting(request) as tell:
            steering.pause_queue(name, until=until, by=request.user)
            tell("pause", Queue(name=name), until=until)
        return self._told(name)

    @operation({200: QueueSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, name: str) -> Response:
        """Claim from it again."""
        self._known(name)
        with acting(request) as tell:
            steering.resume_queue(name, by=request.user)
            tell("resume", Queue(name=name))
        return self._told(name)

    @operation({200: PurgedSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def purge(self, request: Request, name: str) -> Response:
        """Move every job that waits in it to Deleted."""
        self._known(name)
        deleted = steering.purge_queue(name, by=request.user)  # in many transactions
        told(request, "purge", Queue(name=name), deleted=deleted)
        return Response({"deleted": deleted})

    def _known(self, name: str) -> None:
        if name not in queues.names():
            raise Http404

    def _told(self, name: str) -> Response:
        self._known(name)
        return Response(self.get_serializer(next(row for row in _queues() if row["name"] == name)).data)


def _queues() -> list[dict[str, Any]]:
    waits = monitoring.queue_waits()
    until = dict(Queue.objects.using(settings.DATABASE).values_list("name", "paused_until"))
    return [
        {
            "name": name,
            **facts,
            "waiting": facts["waiting"].number,
            "capped": facts["waiting"].capped,
            "paused_until": until.get(name) if facts["paused"] else None,
        }
        for name, facts in waits.items()
    ]
