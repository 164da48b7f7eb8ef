"""What goes over the wire. Checks that the client makes at enqueue are left to it: one place says what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NoReturn

from django.db import models
from django.utils.timezone import is_aware
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from .. import monitoring, relations
from ..masking import Mask
from ..models import ConsoleLine, Job, JobDependency, JobState, Progress, RecurringJob
from ..models.job import STATES
from .permissions import sees_payload

NAMES = [(name, name) for name, _label in STATES]
LONGEST = 10 * 365 * 86400
"""Most seconds of a delay."""


class Moment(serializers.DateTimeField):
    """A time in UTC: zones of long ago have offsets that ISO 8601 cannot say."""

    def enforce_timezone(self, value: datetime) -> datetime:
        try:
            return value.astimezone(UTC) if is_aware(value) else super().enforce_timezone(value)
        except OverflowError:
            self.fail("overflow")


class Row(serializers.ModelSerializer[Any]):
    serializer_field_mapping = {**serializers.ModelSerializer.serializer_field_mapping, models.DateTimeField: Moment}


def mask_for(context: Any, instance: Any) -> Mask | None:
    """The mask of a call, or of the job whose history is shown: one for all of its fields."""
    job = instance if isinstance(instance, Job | RecurringJob) else context.get("job")
    if job is None:
        return None
    masks: dict[Any, Mask] = context.setdefault("masks", {})
    return masks.setdefault(job.pk, Mask(job))


def told(context: Any, instance: Job | JobState, state: str, reason: str) -> str:
    """A reason as the reader may see it."""
    mask = mask_for(context, instance)
    if not sees_payload(context["request"]):
        return monitoring.cause(state, reason)
    return reason if mask is None else mask.text(reason)


class Payload(serializers.JSONField):
    """JSON that only those see who hold ``view_payload_job``, masked; null for the others."""

    def get_attribute(self, instance: Any) -> Any:
        if not sees_payload(self.context["request"]):
            return None
        mask = mask_for(self.context, instance)
        if isinstance(instance, Job | RecurringJob) and self.source in {"args", "kwargs"}:
            return getattr(mask, self.source)
        value = super().get_attribute(instance)
        return value if mask is None else mask.value(value)

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field({"type": "array", "items": {}, "nullable": True})
class ListPayload(Payload):
    pass


@extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
class ObjectPayload(Payload):
    pass


@extend_schema_field({"type": "string", "nullable": True})
class TextPayload(Payload):
    """Keys are made of arguments."""


@extend_schema_field({"nullable": True})
class AnyPayload(Payload):
    pass


class JobSerializer(Row):
    """A job. `args`, `kwargs` and `result` are null for those who may not see payloads."""

    state = serializers.ChoiceField(choices=NAMES)
    reason = serializers.SerializerMethodField()
    args = ListPayload()
    kwargs = ObjectPayload()
    result = AnyPayload()
    tags = serializers.ListField(child=serializers.CharField())
    attempt = serializers.IntegerField(help_text="Number of the current or next attempt, from 1.")
    created_by = serializers.CharField(source="created_by_name", help_text="User name; empty for nobody.")
    asked = serializers.CharField(help_text='What was asked of its run: "pause", "cancel", "kill" or "".')
    recurring_job = serializers.CharField(source="recurring_job_id", allow_null=True, help_text="Its id.")
    batch = serializers.IntegerField(source="batch_id", allow_null=True, help_text="Its id.")

    class Meta:
        model = Job
        fields = [
            *("id", "job_type", "args", "kwargs", "queue", "priority", "state", "state_at", "reason", "attempt", "run"),
            *("asked", "worker", "result", "tags", "recurring_job", "batch", "created_at", "created_by"),
            *("scheduled_at", "started_at", "finished_at"),
        ]
        read_only_fields = fields

    def get_reason(self, job: Job) -> str:
        return told(self.context, job, job.state, job.state_reason)


class RelativeSerializer(serializers.Serializer[Any]):
    """A job or a batch that the job waits for, or that waits for it; both null where it is no longer stored."""

    job = serializers.IntegerField(source="job.pk", allow_null=True)
    batch = serializers.IntegerField(source="batch.pk", allow_null=True)
    on = serializers.ChoiceField(choices=JobDependency.On.values)
    met = serializers.BooleanField(allow_null=True, help_text="Whether it ended so; null until that is known.")


class JobDetailSerializer(JobSerializer):
    """A job with all that is known of it; headers, metadata and keys, too, are null without view_payload_job."""

    headers = ObjectPayload()
    unique_key = TextPayload()
    concurrency_key = TextPayload()
    metadata = serializers.SerializerMethodField()
    parents = serializers.SerializerMethodField()
    children = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields,
            *("headers", "metadata", "unique_key", "concurrency_key", "start_before", "expires_at"),
            *("parents", "children"),
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "object", "additionalProperties": {}, "nullable": True})
    def get_metadata(self, job: Job) -> Any:
        mask = mask_for(self.context, job)
        assert mask is not None
        return mask.value(monitoring.metadata(job.pk)) if sees_payload(self.context["request"]) else None

    @extend_schema_field(RelativeSerializer(many=True))
    def get_parents(self, job: Job) -> Any:
        return RelativeSerializer(relations.parents(job), many=True).data

    @extend_schema_field(RelativeSerializer(many=True))
    def get_children(self, job: Job) -> Any:
        return RelativeSerializer(relations.children(job), many=True).data


class Strict(serializers.Serializer[Any]):
    """Refuses what it does not know: a misspelt option must not pass silently."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            known = ", ".join(self.fields)
            raise serializers.ValidationError({name: [f"is not known here; known are {known}"] for name in unknown})
        return super().to_internal_value(data)


@extend_schema_field({"type": "array", "items": {}, "default": []})
class ListArguments(serializers.JSONField):
    default_error_messages = {"not_a_list": "is no list; positional arguments are a JSON array"}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("not_a_list")
        return data


@extend_schema_field({"type": "object", "additionalProperties": {}, "default": {}})
class ObjectArguments(serializers.JSONField):
    default_error_messages = {"not_an_object": "is no JSON object"}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        return data


class Seconds(serializers.FloatField):
    """A span of time; to Python, true would be a number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool):
            self.fail("invalid")
        return float(super().to_internal_value(data))

    def to_representation(self, value: Any) -> Any:
        return value.total_seconds()


class Choice(serializers.ChoiceField):
    default_error_messages = {"invalid_choice": "is {input!r:.100}; give {choices}"}

    def fail(self, key: str, **facts: Any) -> NoReturn:
        super().fail(key, choices=", ".join(map(str, self.choices)), **facts)


class CancelSerializer(Strict):
    force = serializers.BooleanField(default=False, help_text="Kill the process in which it runs.")


class RescheduleSerializer(Strict):
    """When to run it: one of the two."""

    when = Moment(required=False, help_text="The past means at once.")
    delay = Seconds(required=False, min_value=0, max_value=LONGEST, help_text="Seconds from now.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError({"when": ["is missing (or doubled by delay): give one of the two"]})
        return attrs


class StateSerializer(Row):
    """A state that a job entered; `data` is null for those who may not see payloads, `id` for the creation."""

    id = serializers.IntegerField(allow_null=True, help_text="For `before`.")
    name = serializers.ChoiceField(choices=NAMES)
    reason = serializers.SerializerMethodField()
    data = ObjectPayload()  # type: ignore[assignment]

    class Meta:
        model = JobState
        fields = ["id", "name", "reason", "created_at", "run", "data"]
        read_only_fields = fields

    def get_reason(self, entry: JobState) -> str:
        return told(self.context, entry, entry.name, entry.reason)


class LineSerializer(Row):
    class Meta:
        model = ConsoleLine
        fields = ["number", "run", "at", "level", "color", "text"]
        read_only_fields = fields


class BarSerializer(Row):
    class Meta:
        model = Progress
        fields = ["name", "run", "value", "total"]
        read_only_fields = fields


class ConsoleSerializer(serializers.Serializer[Any]):
    """The console from a line on, and all progress bars as they stand."""

    lines = LineSerializer(many=True)
    progress = BarSerializer(many=True)


def checked(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The body of a request; raises ValidationError."""
    given = serializer(data=request.data)
    given.is_valid(raise_exception=True)
    plain: dict[str, Any] = given.validated_data
    return plain
