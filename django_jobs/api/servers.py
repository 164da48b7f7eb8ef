"""Servers, and what people ask of them."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from .. import monitoring, steering
from ..models import Server
from .acting import acting
from .base import View
from .schema import READ, WRITE, operation
from .serializers import Row


class ServerSerializer(Row):
    """A server, or a process of one."""

    alive = serializers.SerializerMethodField()
    wanted = serializers.CharField(help_text='What it was asked to do: "quiet", "stop" or "".')

    class Meta:
        model = Server
        fields = [
            *("id", "name", "kind", "application", "host", "pid", "version", "queues", "slots", "busy"),
            *("memory", "cpu", "wanted", "started_at", "heartbeat_at", "alive"),
        ]
        read_only_fields = fields

    def get_alive(self, server: Server) -> bool:
        return monitoring.is_alive(server)


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class Names(serializers.JSONField):
    pass


class ChildSerializer(ServerSerializer):
    leads = serializers.BooleanField(help_text="Whether it is the scheduler that works for all.")

    class Meta(ServerSerializer.Meta):
        fields = [*ServerSerializer.Meta.fields, "leads"]
        read_only_fields = fields


class SupervisorSerializer(ServerSerializer):
    queues = Names()
    types = Names()
    children = ChildSerializer(many=True)

    class Meta(ServerSerializer.Meta):
        fields = [*ServerSerializer.Meta.fields, "types", "children"]
        read_only_fields = fields


class Servers(View):
    """Every `runjobs`, with its processes."""

    serializer_class = SupervisorSerializer
    pagination_class = None
    lookup_value_regex = "[0-9]{1,18}"
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["list", "retrieve"], "django_jobs.view_server"),
        **dict.fromkeys(["stop", "quiet", "resume"], "django_jobs.stop_server"),
    }

    def get_queryset(self) -> Any:
        return monitoring.servers()

    @operation({200: SupervisorSerializer(many=True)}, *READ)
    def list(self, request: Request) -> Response:
        """Those that are alive first."""
        return Response(self.get_serializer(self.get_queryset(), many=True).data)

    @operation({200: SupervisorSerializer}, *READ)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.get_serializer(self.get_object()).data)

    @operation({200: SupervisorSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Ask it to end in good order."""
        return self._direct("stop")

    @operation({200: SupervisorSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def quiet(self, request: Request, pk: str) -> Response:
        """Ask it to take no new jobs."""
        return self._direct("quiet")

    @operation({200: SupervisorSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Ask it to take jobs again."""
        return self._direct("")

    def _direct(self, wanted: str) -> Response:
        server = self.get_object()
        with acting(self.request) as tell:
            if steering.direct([server.pk], wanted):
                tell(self.action, server)
        return Response(self.get_serializer(self.get_object()).data)
