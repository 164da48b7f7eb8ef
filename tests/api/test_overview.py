"""Job types by the REST API."""

from __future__ import annotations

import pytest

from django_jobs.masking import HIDDEN
from tests.api.conftest import AsUser
from tests.app import people  # noqa: F401  (registers its types)

pytestmark = pytest.mark.django_db


def test_a_type_tells_its_parameters_but_no_value_under_a_sensitive_name(caller: AsUser) -> None:
    types = {one["name"]: one for one in caller("view_job").get("job-types/")}
    told = [(one["name"], one["default"], one["required"]) for one in types["tests.signs_in"]["parameters"]]
    assert told == [("user_id", "", True), ("password", "''", False), ("pin", HIDDEN, False), ("**options", "", False)]
