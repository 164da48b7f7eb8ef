"""Batches: how far they are, and cancelling them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from .. import batching, monitoring, relations
from ..models import Batch
from .acting import acting
from .base import View
from .errors import Conflict
from .pagination import WindowedPages
from .schema import READ, WRITE, operation
from .serializers import JobSerializer, Row


class ProgressSerializer(serializers.Serializer[Any]):
    """Members, those of its parts included."""

    total = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Succeeded.")
    failed = serializers.IntegerField()
    deleted = serializers.IntegerField()
    open = serializers.IntegerField(help_text="Still waiting or running.")
    percent = serializers.IntegerField(help_text="Of those that have ended.")


class BatchSerializer(Row):
    """Jobs that were stored together and are looked at as one."""

    state = serializers.ChoiceField(choices=[(name, name) for name in Batch.State.values])
    parent = serializers.IntegerField(  # type: ignore[assignment]
        source="parent_id", allow_null=True, help_text="The batch that it is part of."
    )
    created_by = serializers.CharField(source="created_by_name", help_text="User name; empty for nobody.")
    progress = serializers.SerializerMethodField()

    class Meta:
        model = Batch
        fields = [
            *("id", "description", "state", "state_at", "parent", "created_at", "created_by", "cancelled_at"),
            *("cancelled_by", "finished_at", "progress"),
        ]
        read_only_fields = fields

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, batch: Batch) -> Any:
        return ProgressSerializer(self.context["progress"][batch.pk]).data


class Batches(View):
    """Sets of jobs."""

    serializer_class = BatchSerializer
    pagination_class = WindowedPages
    lookup_value_regex = "[0-9]{1,18}"
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["list", "retrieve"], "django_jobs.view_batch"),
        "jobs": "django_jobs.view_job",
        "cancel": "django_jobs.cancel_job",
    }

    def get_queryset(self) -> QuerySet[Batch]:
        return relations.batches()

    @operation({200: BatchSerializer(many=True)}, *READ)
    def list(self, request: Request) -> Response:
        """Newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self._told(page or []))

    @operation({200: BatchSerializer}, *READ)
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self._told([self.get_object()])[0])

    @operation({200: BatchSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """From now on no member starts; those that wait or run are cancelled, in sets."""
        batch = self.get_object()
        with acting(request) as tell:
            if not batching.cancel(batch, by=request.user):
                raise Conflict(f"Batch {batch.pk} has ended, or was cancelled before.")
            tell("cancel", batch)
        return Response(self._told([self.get_object()])[0])

    @operation({200: JobSerializer(many=True)}, *READ)
    @action(detail=True)
    def jobs(self, request: Request, pk: str) -> Response:
        """Its members. Those of its parts are found with the parts."""
        page = self.paginate_queryset(monitoring.jobs().filter(batch=self.get_object().pk))
        return self.get_paginated_response(JobSerializer(page, many=True, context=self.get_serializer_context()).data)

    def _told(self, batches: Sequence[Any]) -> Any:
        context = {**self.get_serializer_context(), "progress": relations.progress([batch.pk for batch in batches])}
        return BatchSerializer(batches, many=True, context=context).data
