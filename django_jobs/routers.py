"""For sites that keep the job tables in a database of their own."""

from __future__ import annotations

from typing import Any

from .conf import settings

APP = "django_jobs"


class JobsRouter:
    """Sends the job tables to ``DJANGO_JOBS["DATABASE"]`` and keeps every other table out of that router's business."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return settings.DATABASE if model._meta.app_label == APP else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return self.db_for_read(model)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool | None:
        # A job refers to a user, without a constraint; the user may live elsewhere.
        return True if APP in {one._meta.app_label, other._meta.app_label} else None

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool | None:
        return db == settings.DATABASE if app_label == APP else None
