"""django_jobs as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class DjangoJobsConfig(AppConfig):
    """Registers the checks, gives the models their verbs, and imports every installed app's ``jobs`` module."""

    name = "django_jobs"
    label = "django_jobs"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, client
        from .models.job import Verbs

        checks.register_all()
        Verbs.client = client.verb
        autodiscover_modules("jobs")
