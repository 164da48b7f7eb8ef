"""Calls of job types, as they come over the wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from typing import Any

from rest_framework import serializers

from .. import client, monitoring
from ..client import Options
from ..exceptions import InvalidJob
from ..models import Batch, Job, JobDependency
from ..transactions import atomic
from .errors import path_of
from .serializers import LONGEST, Choice, ListArguments, Moment, ObjectArguments, Seconds, Strict

AS_GIVEN = ("queue", "priority", "run_after", "tags", "headers", "on", "unique_key", "on_duplicate", "concurrency_key")
SPANS = {"delay": "run_after", "expires": "expires", "unique_for": "unique_for"}
"""Seconds, and the options that they set."""


class OptionsSerializer(Strict):
    """How a call is to be stored; what is not given comes from the job type."""

    queue = serializers.CharField(required=False, max_length=100)
    priority = serializers.IntegerField(required=False, min_value=-100, max_value=100)
    run_after = Moment(required=False, help_text="When it is due; the past means at once.")
    delay = Seconds(required=False, min_value=0, max_value=LONGEST, help_text="Seconds from now.")
    expires = Seconds(
        required=False, min_value=0, max_value=LONGEST, help_text="Seconds after it is due; it does not start later."
    )
    tags = serializers.ListField(child=serializers.CharField(max_length=100), required=False, max_length=50)
    headers = ObjectArguments(required=False, help_text="JSON that travels with the job; 8 KiB at most.")
    after = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62),
        required=False,
        max_length=100,
        help_text="Ids of jobs to wait for.",
    )
    after_batches = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**62),
        required=False,
        max_length=100,
        help_text="Ids of batches to wait for.",
    )
    on = Choice(
        choices=JobDependency.On.values, required=False, help_text="How these must have ended; else it is deleted."
    )
    unique_key = serializers.CharField(
        max_length=200, required=False, help_text="No second job of the type has it until this one has ended."
    )
    unique_for = Seconds(
        required=False, min_value=0.001, max_value=LONGEST, help_text="Seconds for which the key is held at least."
    )
    on_duplicate = Choice(
        choices=["return", "raise"], required=False, help_text="Where the key is taken: answer that job, or 409."
    )
    concurrency_key = serializers.CharField(
        max_length=200, required=False, help_text="Jobs that have the same one do not run at once."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "delay" in attrs and "run_after" in attrs:
            raise serializers.ValidationError({"delay": ["is given together with run_after; give one of them"]})
        if "on" in attrs and not (attrs.get("after") or attrs.get("after_batches")):
            raise serializers.ValidationError({"on": ["is given without after or after_batches"]})
        return attrs


class EnqueueSerializer(OptionsSerializer):
    """A call of a job type."""

    job_type = serializers.CharField(max_length=200)
    args = ListArguments(required=False)
    kwargs = ObjectArguments(required=False)


class BulkSerializer(Strict):
    """Calls that are stored together, all or none."""

    jobs = EnqueueSerializer(many=True, allow_empty=False, max_length=1000)  # type: ignore[call-arg]


def enqueue(given: dict[str, Any], user: Any) -> Job:
    """Store the call in the caller's transaction. Raises InvalidJob, DuplicateJob and EnqueueCancelled."""
    return _enqueue([given], user)[0]


def enqueue_all(given: Sequence[dict[str, Any]], user: Any) -> list[Job]:
    """Store the calls, all or none; neighbours that differ in their arguments alone are stored as one set."""
    made: list[Job] = []
    with monitoring.snapshot(), atomic():
        for _, alike in groupby(given, _terms):
            try:
                made += _enqueue(list(alike), user)
            except InvalidJob as error:
                at = len(made) + (error.at or 0)
                raise serializers.ValidationError({f"jobs[{at}].{path_of(error)}": [error.message]}) from None
    return made


def _enqueue(alike: Sequence[dict[str, Any]], user: Any) -> list[Job]:
    """Store calls of the same type and options."""
    calls = [(tuple(one.get("args", [])), one.get("kwargs", {})) for one in alike]
    return client.enqueue(alike[0]["job_type"], calls, _options(alike[0], user))


def _terms(given: dict[str, Any]) -> str:
    """All but the arguments, as JSON: 1, 1.0 and true in a header are not the same."""
    return json.dumps({name: value for name, value in given.items() if name not in ("args", "kwargs")}, default=str)


def _options(given: dict[str, Any], user: Any) -> Options:
    named = {name: given[name] for name in AS_GIVEN if name in given}
    named |= {option: timedelta(seconds=given[name]) for name, option in SPANS.items() if name in given}
    waits = [Job(pk=pk) for pk in given.get("after", [])] + [Batch(pk=pk) for pk in given.get("after_batches", [])]
    return Options(created_by=user, after=waits, **named)
