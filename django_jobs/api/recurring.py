"""Recurring jobs: add, change, remove, trigger, and what they have run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import Http404
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from .. import monitoring, schedules
from ..exceptions import CronError, DuplicateJob, InvalidJob, UnknownRecurringJob
from ..masking import Mask, trouble
from ..models import Job, RecurringJob
from ..terms import TERMS
from .acting import Tell, acting
from .base import View
from .errors import Conflict
from .pagination import NamedPages, WindowedPages
from .permissions import sees_payload
from .schema import READ, WRITE, operation
from .serializers import (
    LONGEST,
    Choice,
    JobSerializer,
    ListArguments,
    ListPayload,
    Moment,
    ObjectArguments,
    ObjectPayload,
    Row,
    Seconds,
    Strict,
    checked,
)


class RecurringSerializer(Row):
    """A call and its timetable. `args` and `kwargs` are null for those who may not see payloads."""

    args = ListPayload()
    kwargs = ObjectPayload()
    expires = Seconds(allow_null=True, help_text="Seconds after its time; a run does not start later.")
    error = serializers.SerializerMethodField(help_text="Why it is broken; empty where it is not.")
    orphaned = serializers.BooleanField(help_text="Its declaration vanished from the code: it does not run.")
    words = serializers.CharField(help_text="The expression in words of the language asked for; empty if it is broken.")
    last_job = serializers.IntegerField(source="last_job_id", allow_null=True)

    class Meta:
        model = RecurringJob
        fields = [
            *("id", "description", "job_type", "args", "kwargs", "cron", "words", "time_zone", "match_both_days"),
            *(
                "queue",
                "priority",
                "expires",
                "misfire",
                "overlap",
                "starts_at",
                "ends_at",
                "jitter",
                "enabled",
                "next_run",
            ),
            *("last_run", "last_job", "error", "orphaned", "source", "application", "created_at", "changed_at"),
            "changed_by",
        ]
        read_only_fields = fields

    def get_error(self, row: RecurringJob) -> str:
        return trouble(row, payload=sees_payload(self.context["request"]))


class TermsSerializer(Strict):
    """What may be said of a recurring job; what is not given is as the job type has it, or the default."""

    job_type = serializers.CharField(max_length=200)
    cron = serializers.CharField(max_length=500, help_text="Five fields, six with seconds first, or a macro.")
    time_zone = serializers.CharField(max_length=64, required=False, help_text='An IANA name; default "UTC".')
    args = ListArguments(required=False)
    kwargs = ObjectArguments(required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    queue = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="null is the job type's own."
    )
    priority = serializers.IntegerField(min_value=-100, max_value=100, required=False)
    expires = Seconds(
        min_value=0.001,
        max_value=LONGEST,
        required=False,
        allow_null=True,
        help_text="Seconds after its time; a run does not start later. null is the job type's own.",
    )
    match_both_days = serializers.BooleanField(required=False, help_text="Day of month and of week must both match.")
    misfire = Choice(choices=RecurringJob.Misfire.choices, required=False)
    overlap = Choice(choices=RecurringJob.Overlap.choices, required=False)
    starts_at = Moment(required=False, allow_null=True)
    ends_at = Moment(required=False, allow_null=True)
    jitter = serializers.IntegerField(min_value=0, max_value=86_400, required=False, help_text="Seconds at most.")
    enabled = serializers.BooleanField(required=False)


class AddSerializer(TermsSerializer):
    id = serializers.CharField(max_length=200)


class NamedTermsSerializer(TermsSerializer):
    id = serializers.CharField(max_length=200, required=False, help_text="As in the address.")


class NextRunsSerializer(serializers.Serializer[Any]):
    next_runs = serializers.ListField(child=Moment())


class RecurringJobs(View):
    """Calls that become jobs by a timetable."""

    serializer_class = RecurringSerializer
    pagination_class = NamedPages
    lookup_value_regex = r"[^/\x00]{1,200}"
    needs: ClassVar[dict[str, str]] = {
        **dict.fromkeys(["list", "retrieve", "next_runs"], "django_jobs.view_recurringjob"),
        "runs": "django_jobs.view_job",
        "create": "django_jobs.add_recurringjob",
        **dict.fromkeys(["update", "partial_update", "enable", "disable"], "django_jobs.change_recurringjob"),
        "destroy": "django_jobs.delete_recurringjob",
        "trigger": "django_jobs.trigger_recurringjob",
    }

    def get_queryset(self) -> Any:
        return schedules.rows()

    @operation({200: RecurringSerializer(many=True)}, *READ)
    def list(self, request: Request) -> Response:
        """By id."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @operation({200: RecurringSerializer}, *READ)
    def retrieve(self, request: Request, pk: str) -> Response:
        return self._told(pk)

    @operation({200: RecurringSerializer, 201: RecurringSerializer}, *WRITE, request=AddSerializer)
    def create(self, request: Request) -> Response:
        """Add it or, where there is one of that id, set all its terms (which takes the permission to change)."""
        given = checked(AddSerializer, request)
        return self._store(given.pop("id"), given)

    @operation({200: RecurringSerializer, 201: RecurringSerializer}, *WRITE, request=NamedTermsSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """The same, with the id in the address."""
        given = checked(NamedTermsSerializer, request)
        _same_id(pk, given)
        return self._store(pk, given)

    @operation({200: RecurringSerializer}, *WRITE, request=NamedTermsSerializer(partial=True))
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change some of its terms. Code that declares it leaves them alone from then on."""
        row = self._known(pk)
        given = NamedTermsSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        _same_id(pk, given.validated_data)
        with acting(request) as tell:
            _tell_changes(tell, row, schedules.change(pk, by=request.user, **_unmasked(row, given.validated_data)))
        return self._told(pk)

    def _store(self, name: str, terms: dict[str, Any]) -> Response:
        known = schedules.rows().filter(pk=name).first()
        if not self.request.user.has_perm(self.needs["partial_update" if known else "create"]):
            self.permission_denied(self.request)
        if known:
            terms = _unmasked(known, {"args": [], "kwargs": {}, **terms})
        job_type = terms.pop("job_type")
        given = {**terms, "source": RecurringJob.Source.API, "by": self.request.user}
        with acting(self.request) as tell:
            _tell_changes(tell, known, schedules.add_or_update(name, job_type, **given))
        return self._told(name, status.HTTP_200_OK if known else status.HTTP_201_CREATED)

    @operation({204: None}, *WRITE, 409)
    def destroy(self, request: Request, pk: str) -> Response:
        """Remove it. Its jobs stay."""
        row = self._known(pk)
        with acting(request) as tell:
            if not schedules.remove(pk):
                raise Http404
            tell("delete", row)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @operation({201: JobSerializer}, *WRITE, 409, request=None)
    @action(detail=True, methods=["post"])
    def trigger(self, request: Request, pk: str) -> Response:
        """Enqueue its call now, whatever its timetable says."""
        row = self._known(pk)
        with acting(request) as tell:
            job = _triggered(pk, request.user)
            tell("trigger", row)
        return Response(JobSerializer(job, context=self.get_serializer_context()).data, status.HTTP_201_CREATED)

    @operation({200: RecurringSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: str) -> Response:
        """Let it run from now on."""
        return self._switched(pk, schedules.enable)

    @operation({200: RecurringSerializer}, *WRITE, request=None)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: str) -> Response:
        """Let it rest."""
        return self._switched(pk, schedules.disable)

    def _switched(self, pk: str, switch: Callable[..., RecurringJob | None]) -> Response:
        self._known(pk)
        with acting(self.request) as tell:
            if row := switch(pk, by=self.request.user):
                tell(self.action, row)
        return self._told(pk)

    @operation({200: JobSerializer(many=True)}, *READ)
    @action(detail=True, pagination_class=WindowedPages)
    def runs(self, request: Request, pk: str) -> Response:
        """The jobs that it became."""
        self._known(pk)
        page = self.paginate_queryset(monitoring.jobs().filter(recurring_job=pk))
        return self.get_paginated_response(JobSerializer(page, many=True, context=self.get_serializer_context()).data)

    @operation({200: NextRunsSerializer}, *READ)
    @action(detail=True, url_path="next-runs", pagination_class=None)
    def next_runs(self, request: Request, pk: str) -> Response:
        """The next five times of its timetable, whether it is enabled or not; fewer where it ends or is broken."""
        try:
            return Response(NextRunsSerializer({"next_runs": self._known(pk).next_runs()}).data)
        except CronError:
            return Response({"next_runs": []})

    def _known(self, name: str) -> RecurringJob:
        try:
            return schedules.get(name)
        except UnknownRecurringJob:
            raise Http404 from None

    def _told(self, name: str, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(self._known(name)).data, code)


def _triggered(pk: str, by: Any) -> Job:
    """Raises Conflict without the key that is taken: it is made of arguments, which not everybody may see."""
    try:
        return schedules.trigger(pk, by=by)
    except DuplicateJob as error:
        holder = f"Job {error.job.pk}" if error.job else "Another job"
        raise Conflict(f"{holder} has its unique key.") from None


def _tell_changes(tell: Tell, before: RecurringJob | None, after: RecurringJob) -> None:
    """Who says again what is stored changes nothing."""
    if before is None:
        tell("add", after)
    elif fields := [name for name in TERMS if getattr(before, name) != getattr(after, name)]:
        tell("change", after, fields=fields)


def _same_id(pk: str, given: dict[str, Any]) -> None:
    """The id may be said again; another one is refused."""
    if given.pop("id", pk) != pk:
        raise InvalidJob("id", f"is not that of the address, {pk!r}; an id cannot be changed")


def _unmasked(row: RecurringJob, terms: dict[str, Any]) -> dict[str, Any]:
    """The terms as they are to be stored: a mask that came back with what was read stands for what is stored."""
    mask = Mask(row)
    given = terms.get("args", mask.args), terms.get("kwargs", mask.kwargs)
    args, kwargs = mask.restored(*given, terms.get("job_type"))
    return {**terms, **{name: value for name, value in (("args", args), ("kwargs", kwargs)) if name in terms}}
