"""Job types, and numbers."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from .. import monitoring
from ..masking import HIDDEN, Mask
from ..models import Job
from ..registry import registry
from .base import View
from .schema import READ, operation

VIEW = "django_jobs.view_job"


class ParameterSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    annotation = serializers.CharField(help_text="As the code has it; empty for none.")
    required = serializers.BooleanField()  # type: ignore[assignment]
    default = serializers.CharField(help_text="As Python writes it; empty for none.")


class JobTypeSerializer(serializers.Serializer[Any]):
    """A job type. What only other applications have is known by name alone: `here` is false."""

    name = serializers.CharField()
    here = serializers.BooleanField(help_text="Whether this process has its code.")
    served = serializers.BooleanField(help_text="Whether a live server takes it.")
    description = serializers.CharField()
    queue = serializers.CharField()
    priority = serializers.IntegerField()
    parameters = ParameterSerializer(many=True)


class JobTypes(View):
    """What can be enqueued."""

    serializer_class = JobTypeSerializer
    pagination_class = None
    needs: ClassVar[dict[str, str]] = {"list": VIEW}

    @operation({200: JobTypeSerializer(many=True)}, *READ)
    def list(self, request: Request) -> Response:
        """The types of this process, those that it declares, and those that live servers publish, by name."""
        served = monitoring.published_types()
        names = sorted(served.union(registry.names(), registry.elsewhere))
        return Response(self.get_serializer([_type(name, served) for name in names], many=True).data)


def _type(name: str, served: set[str]) -> dict[str, Any]:
    known = registry.find(name)
    mask = Mask(Job(job_type=name))
    parameters = [] if known is None else [_parameter(one, mask) for one in known.signature.parameters.values()]
    return {
        "name": name,
        "here": known is not None,
        "served": name in served,
        "description": known.description if known else "",
        "queue": known.queue if known else "",
        "priority": known.priority if known else 0,
        "parameters": parameters,
    }


def _parameter(one: inspect.Parameter, mask: Mask) -> dict[str, Any]:
    annotation = "" if one.annotation is one.empty else inspect.formatannotation(one.annotation).strip("'")
    required = one.default is one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
    prefix = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
    default = "" if one.default is one.empty else repr(one.default)[:200]
    default = HIDDEN if default not in ("", "''", "None") and mask.hides(one.name) else default
    return {"name": prefix + one.name, "annotation": annotation, "required": required, "default": default}


class CountSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    capped = serializers.BooleanField(help_text="Whether there are more than were counted.")


class StatsSerializer(serializers.Serializer[Any]):
    """How many jobs are in each state, and how many ended in the last hour and day."""

    states = serializers.DictField(child=CountSerializer())
    last_hour = serializers.DictField(child=serializers.IntegerField())
    last_day = serializers.DictField(child=serializers.IntegerField())
    servers = serializers.IntegerField()
    workers = serializers.IntegerField()


class Stats(View):
    """Numbers for a board."""

    serializer_class = StatsSerializer
    pagination_class = None
    needs: ClassVar[dict[str, str]] = {"numbers": VIEW}

    @operation({200: StatsSerializer}, *READ)
    def numbers(self, request: Request) -> Response:
        """Counts stop at 10,000 for states that jobs leave; what has ended is counted in full."""
        servers = list(monitoring.live_servers())
        told = {
            "states": monitoring.counts(),
            "last_hour": monitoring.throughput(1),
            "last_day": monitoring.throughput(24),
            "servers": len(servers),
            "workers": sum(server.slots for server in servers),
        }
        return Response(self.get_serializer(told).data)
