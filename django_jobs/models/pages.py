"""Pages of the dashboard that show jobs in another way: models in name only, so that the admin lists them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .job import Job


class Overview(Job):
    """What is wrong, and what goes on."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("overview")
        verbose_name_plural = _("overview")


class WaitingRetry(Job):
    """A job that failed and waits for its next attempt."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("retry")
        verbose_name_plural = _("retries")


class Failure(Job):
    """Failed jobs by their cause."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("failure")
        verbose_name_plural = _("failures")
