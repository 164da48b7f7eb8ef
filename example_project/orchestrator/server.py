"""Settings of the server: `runjobs` and the code of the jobs. No URLs, no admin, no API."""

from datetime import timedelta

from example_project.settings import DATABASES, DEFAULT_AUTO_FIELD, RQ_QUEUES, SECRET_KEY, TIME_ZONE, USE_TZ

__all__ = ["DATABASES", "DEFAULT_AUTO_FIELD", "RQ_QUEUES", "SECRET_KEY", "TIME_ZONE", "USE_TZ"]

INSTALLED_APPS = [
    "django_jobs",
    "example_project.orchestrator",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
DJANGO_JOBS = {
    "APPLICATION": "orchestrator",
    "PLUGINS": [],
    "RETENTION": {"failed": timedelta(hours=24)},
}
