"""What is to be expected. All of it may be null: then too little is known, or nobody can tell."""

from __future__ import annotations

from typing import Any, ClassVar

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from .. import estimates, monitoring, relations
from .base import View
from .schema import READ, operation
from .serializers import Moment, Strict

DAYS = 14


class SpanSerializer(serializers.Serializer[Any]):
    """Seconds: the likely number, and the range in which nine of ten should fall."""

    low = serializers.FloatField()
    likely = serializers.FloatField()
    high = serializers.FloatField()


class TypeEstimateSerializer(serializers.Serializer[Any]):
    job_type = serializers.CharField()
    lasts = SpanSerializer(allow_null=True, help_text="How long a run takes.")


class QueueEstimateSerializer(serializers.Serializer[Any]):
    queue = serializers.CharField()
    empty_in = SpanSerializer(allow_null=True, help_text="Until nothing waits in it, if nothing new comes.")


class JobEstimateSerializer(TypeEstimateSerializer):
    starts_in = SpanSerializer(allow_null=True, help_text="Until a Scheduled or Enqueued job starts.")
    ends_in = SpanSerializer(allow_null=True, help_text="Until its next, or present, run ends.")


class BatchEstimateSerializer(serializers.Serializer[Any]):
    batch = serializers.IntegerField()
    ends_in = SpanSerializer(allow_null=True, help_text="Until every member has ended.")


class CollisionSerializer(serializers.Serializer[Any]):
    """Runs of recurring jobs that have to wait for each other, or for an earlier run of themselves."""

    at = Moment()
    queue = serializers.CharField()
    recurring_jobs = serializers.ListField(child=serializers.CharField(), source="schedules", help_text="Their ids.")
    slots = serializers.IntegerField(help_text="Jobs that the servers of the queue run at once.")
    delay = serializers.FloatField(help_text="Seconds by which the last of them is held up.")


class HoursSerializer(Strict):
    hours = serializers.FloatField(required=False, default=24.0, min_value=0, max_value=DAYS * 24)


class Estimates(View):
    """Predictions, by the run times of the past."""

    serializer_class = SpanSerializer
    pagination_class = None
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["job_type", "job"], "django_jobs.view_job"),
        "queues": "django_jobs.view_queue",
        "batch": "django_jobs.view_batch",
        "collisions": "django_jobs.view_recurringjob",
    }

    @operation({200: TypeEstimateSerializer}, *READ)
    def job_type(self, request: Request, pk: str) -> Response:
        """How long runs of a type take."""
        return Response(TypeEstimateSerializer({"job_type": pk, "lasts": estimates.duration(pk)}).data)

    @operation({200: QueueEstimateSerializer(many=True)}, *READ)
    def queues(self, request: Request) -> Response:
        """When each queue is empty, if nothing new comes."""
        rows = [{"queue": name, "empty_in": span} for name, span in estimates.drains().items()]
        return Response(QueueEstimateSerializer(rows, many=True).data)

    @operation({200: JobEstimateSerializer}, *READ)
    def job(self, request: Request, pk: str) -> Response:
        """When a job starts and ends."""
        job = get_object_or_404(monitoring.jobs(), pk=pk)
        told: dict[str, Any] = {"starts_in": estimates.start(job), "ends_in": estimates.end(job)}
        told |= {"job_type": job.job_type, "lasts": estimates.duration(job.job_type)}
        return Response(JobEstimateSerializer(told).data)

    @operation({200: BatchEstimateSerializer}, *READ)
    def batch(self, request: Request, pk: str) -> Response:
        """When every member of a batch has ended."""
        batch = get_object_or_404(relations.batches(), pk=pk)
        return Response(BatchEstimateSerializer({"batch": batch.pk, "ends_in": estimates.batch_end(batch)}).data)

    @operation({200: CollisionSerializer(many=True)}, *READ, parameters=[HoursSerializer])
    def collisions(self, request: Request) -> Response:
        """Recurring jobs that will be in each other's way in the next hours."""
        given = HoursSerializer(data=request.query_params.dict())
        given.is_valid(raise_exception=True)
        return Response(CollisionSerializer(estimates.collisions(given.validated_data["hours"]), many=True).data)
