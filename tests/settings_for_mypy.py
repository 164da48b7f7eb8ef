"""The tests' settings for the type checker, which connects to nothing and would leave an embedded Valkey behind."""

from __future__ import annotations

import os

os.environ.setdefault("LANE_REDIS_URL", "redis://127.0.0.1:6379/15")
os.environ.setdefault("LANE_DATABASE_NAME", ":memory:")

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as OF_THE_TESTS

INSTALLED_APPS = [*OF_THE_TESTS[:-1], "example_project.dhanman", "example_project.shop"]
