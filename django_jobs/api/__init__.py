"""The REST API: an extra, ``pip install 'django-durable-jobs[api]'``."""

from importlib.util import find_spec

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

PACKAGES = {
    "rest_framework": "djangorestframework",
    "drf_spectacular": "drf-spectacular",
    "drf_spectacular_sidecar": "drf-spectacular[sidecar]",
    "django_filters": "django-filter",
}
APPS = ("rest_framework", "drf_spectacular", "drf_spectacular_sidecar")


def problem() -> str:
    """What the site still needs before it can have the API; empty for nothing."""
    if missing := [package for module, package in PACKAGES.items() if find_spec(module) is None]:
        return f"{', '.join(missing)} is not installed: pip install 'django-durable-jobs[api]'"
    if absent := [app for app in APPS if not apps.is_installed(app)]:
        return f"INSTALLED_APPS lacks {', '.join(map(repr, absent))}"
    return ""


if why := problem():
    raise ImproperlyConfigured(f"django_jobs.api cannot be used: {why}.")
