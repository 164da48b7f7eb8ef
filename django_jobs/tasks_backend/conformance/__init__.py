"""One suite for every backend of Django Tasks: Django's own framework from 6.0 on, django-tasks before it.

Mix it into a TransactionTestCase, under settings in which the backend "default" supports async tasks:

    class TestMyBackend(TaskBackendConformance, TransactionTestCase):
        backend = "default"

        def drain(self):
            "Run every task that is due, and return when that is done."

What a backend says it does not support (``supports_defer``…) is asked to be refused. The tasks are in
``django_jobs.tasks_backend.conformance.tasks``.
"""

from __future__ import annotations

from .enqueueing import Enqueueing
from .outcomes import Outcomes
from .validation import Validation


class TaskBackendConformance(Validation, Enqueueing, Outcomes):
    """Everything that Django's documentation, its base classes and its own backends promise."""


__all__ = ["TaskBackendConformance"]
