"""The addresses: ``path("jobs-api/", include("django_jobs.api.urls"))``."""

from __future__ import annotations

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from .batches import Batches
from .docs import Docs, Schema
from .errors import nowhere
from .estimates import Estimates
from .events import Events
from .jobs import Jobs
from .overview import JobTypes, Stats
from .queues import Queues
from .recurring import RecurringJobs
from .servers import Servers

app_name = "django_jobs_api"

router = SimpleRouter()
router.register("jobs", Jobs, basename="job")
router.register("batches", Batches, basename="batch")
router.register("job-types", JobTypes, basename="job-type")
router.register("queues", Queues, basename="queue")
router.register("recurring-jobs", RecurringJobs, basename="recurring-job")
router.register("servers", Servers, basename="server")

operations = [
    *router.urls,
    path("events/", Events.as_view({"get": "listen"}), name="events"),
    re_path(r"^estimates/batches/(?P<pk>[0-9]{1,18})/\Z", Estimates.as_view({"get": "batch"}), name="estimate-batch"),
    path("estimates/collisions/", Estimates.as_view({"get": "collisions"}), name="estimate-collisions"),
    re_path(
        r"^estimates/job-types/(?P<pk>[^/\x00]{1,200})/\Z",
        Estimates.as_view({"get": "job_type"}),
        name="estimate-job-type",
    ),
    re_path(r"^estimates/jobs/(?P<pk>[0-9]{1,18})/\Z", Estimates.as_view({"get": "job"}), name="estimate-job"),
    path("estimates/queues/", Estimates.as_view({"get": "queues"}), name="estimate-queues"),
    path("stats/", Stats.as_view({"get": "numbers"}), name="stats"),
]
urlpatterns = [
    path("", include(operations)),
    path("schema/", Schema.as_view(patterns=operations), name="schema"),
    path("docs/", Docs.as_view(), name="docs"),
    # Only with a slash at the end, so that Django goes on adding one that was forgotten.
    path("", include([re_path(r"^.*/\Z", nowhere)])),
]
