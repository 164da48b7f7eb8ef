"""For sites that keep the job tables in a database of their own."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS

from .conf import settings

APP = "django_jobs"


class JobsRouter:
    """Sends the job tables to ``DJANGO_JOBS["DATABASE"]``; other tables are none of its business.

    Put it last in DATABASE_ROUTERS: a job's creator is looked for where another router sends users, else in "default".
    """

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        if model._meta.app_label == APP:
            return str(settings.DATABASE)
        asked_by = hints.get("instance")
        # Without an answer, Django would look for the user in the database of the job.
        return DEFAULT_DB_ALIAS if asked_by is not None and asked_by._meta.app_label == APP else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return self.db_for_read(model, **hints)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        # A job refers to a user, without a constraint; the user may live elsewhere.
        return True if APP in {one._meta.app_label, other._meta.app_label} else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == settings.DATABASE if app_label == APP else None
