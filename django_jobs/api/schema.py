"""How the schema tells of errors: every operation names those that it may answer with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers

from .errors import MEDIA_TYPE, TITLES


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Path of what was wrong, as in `jobs[3].queue` or `args[0]`.")
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """An error, as RFC 9457 describes it."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]


READ = (400, 401, 403, 404, 406, 429)
WRITE = (*READ, 413, 415)


def operation(answers: dict[Any, Any], *errors: int, **facts: Any) -> Callable[[Any], Any]:
    """Describe an operation: its good answers, and the errors besides those that all have.

    All are named with their media type: drf-spectacular looks at the first, by its text, for whether it is a list.
    """
    told: dict[Any, Any] = {
        (one, "application/json") if isinstance(one, int) else one: answer for one, answer in answers.items()
    }
    for code in errors:
        told[code, MEDIA_TYPE] = OpenApiResponse(ProblemSerializer, TITLES[code])
    describe = extend_schema(responses=told, **facts)

    def decorate(method: Any) -> Any:
        # As if ``DEFAULT_SCHEMA_CLASS`` were drf-spectacular's: a site need not set it for us.
        method.kwargs = {"schema": AutoSchema, **getattr(method, "kwargs", {})}
        return describe(method)

    return decorate
