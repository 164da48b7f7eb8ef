"""Fixtures for pytest, where pytest-django is there too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .models import Job
    from .testing import CapturedJobs, MovableClock

# Nothing of Django is imported before a fixture is asked for: pytest loads plug-ins before the settings are known.


@pytest.fixture
def captured_jobs(db: None) -> Iterator[CapturedJobs]:
    """The jobs that the test has stored so far, as a sequence. They do not run."""
    from .testing import capture_jobs

    with capture_jobs() as jobs:
        yield jobs


@pytest.fixture
def drain_jobs(db: None) -> Callable[..., list[Job]]:
    """`django_jobs.testing.drain`: run what is enqueued and due."""
    from .testing import drain

    return drain


@pytest.fixture
def assert_job_enqueued(db: None) -> Callable[..., Job]:
    """`django_jobs.testing.assert_enqueued`: the one job stored with these arguments."""
    from .testing import assert_enqueued

    return assert_enqueued


@pytest.fixture
def immediate_jobs(db: None) -> Iterator[None]:
    """Every job of the test runs before the call that stores it returns."""
    from .testing import immediate_jobs

    with immediate_jobs():
        yield


@pytest.fixture
def dummy_jobs() -> Iterator[list[Any]]:
    """No job of the test is stored or run; the list of them. No database is needed."""
    from .testing import dummy_jobs

    with dummy_jobs() as jobs:
        yield jobs


@pytest.fixture
def jobs_clock() -> Iterator[MovableClock]:
    """The clock of django_jobs; `jobs_clock.move(timedelta(days=1))` sets it, the end of the test sets it back."""
    from .testing import moved_clock

    with moved_clock() as movable:
        yield movable
