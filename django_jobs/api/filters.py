"""Which jobs: the query parameters of the list."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError as FormError
from django.db.models import QuerySet
from django_filters import filters
from django_filters.fields import IsoDateTimeField
from django_filters.rest_framework.filterset import FilterSet
from rest_framework.exceptions import PermissionDenied, ValidationError

from .. import search, states
from ..models import Job
from ..search import quoted, written
from ..search.refusals import BadSearch
from .permissions import sees_payload


class MomentField(IsoDateTimeField):
    """A time as every database takes it: in UTC."""

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError:
            raise FormError(self.error_messages["invalid"], code="invalid") from None


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class StateFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """One state or several, with commas between."""


def _pair(field: str, text: str) -> tuple[str, str]:
    """`name:value` taken apart."""
    name, colon, value = text.partition(":")
    if not (name and colon):
        raise ValidationError({field: [f"is {text[:100]!r}; give name:value"]})
    return name, value


class JobFilters(FilterSet):
    """Conditions are joined by "and"."""

    state = StateFilter(
        choices=[(name, name) for name in states.ALL],
        error_messages={"invalid_choice": f"is '%(value)s'; give {', '.join(states.ALL)}"},
        help_text="A state, or several with commas.",
    )
    job_type = filters.CharFilter(help_text="Name of the job type, in full.", max_length=200)
    queue = filters.CharFilter(help_text="Name of the queue.", max_length=100)
    user = filters.CharFilter(field_name="created_by_name", help_text="User name of who created it.", max_length=150)
    tag = filters.CharFilter(method="with_tag", help_text="A tag, in full.", max_length=100)
    arg = filters.CharFilter(
        method="with_argument",
        help_text="`invoice_id:7`: a keyword argument, or `0:7` a positional one, and its value as JSON or text.",
        max_length=500,
    )
    metadata = filters.CharFilter(
        method="with_metadata", help_text="`customer:acme`: a key of the job's metadata and its value.", max_length=500
    )
    search = filters.CharFilter(
        method="searched",
        help_text="A search in the language of the admin's search box: `state:failed args.invoice_id:7 created>-2d`.",
        max_length=2000,
    )
    q = filters.CharFilter(method="searched", help_text="The same as `search`.", max_length=2000)
    recurring_job = filters.CharFilter(field_name="recurring_job_id", help_text="Its id.", max_length=200)
    batch = filters.NumberFilter(field_name="batch_id", help_text="Its id.", min_value=0, max_value=2**62)
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    scheduled_after = MomentFilter(field_name="scheduled_at", lookup_expr="gte")
    scheduled_before = MomentFilter(field_name="scheduled_at", lookup_expr="lt")
    finished_after = MomentFilter(field_name="finished_at", lookup_expr="gte")
    finished_before = MomentFilter(field_name="finished_at", lookup_expr="lt")

    class Meta:
        model = Job
        fields: list[str] = []

    def with_tag(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        return self.searched(queryset, name, f"tag:{quoted(value)}")

    def with_argument(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        key, text = _pair(name, value)
        return self.searched(queryset, name, f"args.{quoted(key)}:{written(text)}")

    def with_metadata(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        key, text = _pair(name, value)
        return self.searched(queryset, name, f"metadata.{quoted(key)}:{written(text)}")

    def searched(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        """The jobs that match; the answer of an error names the parameter."""
        payload = sees_payload(self.request)
        try:
            asked = search.compile(value, by=self.request.user, payload=payload, prefix=name)
        except BadSearch as error:
            if error.hidden and not payload:
                raise PermissionDenied(f"{error} (django_jobs.view_payload_job)") from error
            raise ValidationError({name: [str(error)]}) from error
        return asked.narrow(queryset)
