"""django_jobs as a Django app."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from . import groups


class DjangoJobsConfig(AppConfig):
    """Registers the checks, gives the models their verbs, imports every installed app's ``jobs`` module, then plug-ins.

    Where the site sets ``TASKS``, ``tasks`` modules as well.
    """

    name = "django_jobs"
    label = "django_jobs"
    verbose_name = _("Background jobs")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Not in ready(): wherever the site lists us, this must hear of a migration before django.contrib.auth does.
        post_migrate.connect(groups.give_new_permissions, sender=self)

    def ready(self) -> None:
        from django.apps import apps
        from django.conf import settings
        from django.contrib.auth import get_user_model

        get_user_model()  # raises where its app is not installed, before what points at it is imported
        from . import batching, checks, conf, plugins
        from .models.verbs import Verbs

        checks.register_all()
        Verbs.client = batching.verb
        if conf.settings.COMMANDS:
            from .contrib import commands  # noqa: F401  (registers its job type)
        if apps.is_installed("django.contrib.admin"):
            from .dashboard import actlog, manyjob  # noqa: F401  (they register, also where no admin site is loaded)
        autodiscover_modules("jobs", *["tasks"] * settings.is_overridden("TASKS"))  # type: ignore[misc]
        plugins.host.load()
