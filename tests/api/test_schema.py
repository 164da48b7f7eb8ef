"""The schema: complete, without a warning, and no lie in it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import FlakyStrategyDefinition
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from django_jobs import clock
from django_jobs.models import Batch, RecurringJob, Server
from tests.api.conftest import Caller
from tests.app.jobs import succeeds

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.use_after_free,
    checks.ensure_resource_availability,
]
"""All but those that want whatever fits the schema to be accepted: a job type that nobody knows fits it, too."""

KNOWN = {
    "job_type": "tests.elsewhere",
    "queue": "default",
    "cron": "5 4 * * *",
    "time_zone": "Asia/Kolkata",
    "id": "new",
}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def schema(root: Caller) -> Any:
    GENERATOR_STATS.reset()
    answer = root.client.get("/api/schema/?format=json")
    assert answer.status_code == 200
    return json.loads(answer.content)


def test_the_schema_is_valid_and_made_without_a_warning(schema: Any) -> None:
    validate_schema(schema)
    told = {**GENERATOR_STATS._warn_cache, **GENERATOR_STATS._error_cache}
    assert told == {}
    assert schema["servers"] == [{"url": "/api"}]


def test_every_operation_names_its_errors(schema: Any) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert {"401", "403", "404", "406", "429"} <= set(answers), (method, path)
            for code in (code for code in answers if code >= "400"):
                content = answers[code]["content"]["application/problem+json"]
                assert content["schema"] == {"$ref": "#/components/schemas/Problem"}


@pytest.mark.parametrize("path", ["/jobs/", "/batches/{id}/jobs/", "/recurring-jobs/{id}/runs/"])
def test_what_comes_in_pages_names_how_to_turn_them(schema: Any, path: str) -> None:
    named = {one["name"] for one in schema["paths"][path]["get"]["parameters"]}
    assert {"cursor", "page_size", "ordering"} <= named


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/jobs/"),
        ("post", "/jobs/bulk/"),
        ("post", "/jobs/{id}/requeue/"),
        ("delete", "/jobs/{id}/"),
        ("post", "/queues/{name}/purge/"),
        ("post", "/recurring-jobs/{id}/trigger/"),
        ("delete", "/recurring-jobs/{id}/"),
    ],
)
def test_what_a_filter_may_refuse_names_the_conflict(schema: Any, method: str, path: str) -> None:
    assert "409" in schema["paths"][path][method]["responses"]


def test_the_page_uses_files_of_this_site_only(root: Caller) -> None:
    page = root.client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "://" not in text
    assert "/static/drf_spectacular_sidecar/" in text


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("schema/", "*/*", 403),
        ("schema/", "application/yaml", 403),
        ("docs/", "text/html", 403),
        ("docs/", "application/yaml", 406),
    ],
)
def test_errors_of_schema_and_page_have_the_shape_of_all_errors(path: str, accept: str, status: int) -> None:
    told = Caller(None).client.get(f"/api/{path}", headers={"Accept": accept})
    assert (told.status_code, told["Content-Type"]) == (status, "application/problem+json")
    assert (told.json()["status"], told.json()["errors"]) == (status, [])


@pytest.fixture
def headers(root: Caller, live_server_row: Server) -> dict[str, str]:
    """Those of a caller who may do everything; a type that a live server takes, and a recurring job, are there."""
    late = clock.now() + timedelta(hours=1)  # it lives longer than the fuzzer takes on a busy machine
    Server.objects.filter(pk=live_server_row.pk).update(types=["tests.elsewhere"], heartbeat_at=late)
    RecurringJob.objects.add_or_update("nightly", "tests.elsewhere", cron="0 2 * * *")
    assert root.user is not None
    root.user.set_password("secret")
    root.user.save()
    return {"Authorization": "Basic " + b64encode(b"root:secret").decode()}


def load(headers: dict[str, str]) -> Any:
    return schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application(), headers=headers)


def test_a_fuzzer_finds_no_server_error_and_no_answer_outside_the_schema(
    headers: dict[str, str], live_server_row: Server
) -> None:
    fuzzed = load(headers)
    answers: Counter[int] = Counter()
    for result in fuzzed.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(case=operation.as_strategy(), hit=booleans())
        def probe(case: Any, hit: bool) -> None:
            if hit:
                aim(case, live_server_row.pk)
            answers[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

        probe()
    assert answers[200] > 50
    assert answers[201] > 2
    assert answers[400] > 50


def test_it_finds_none_in_sequences_of_requests(headers: dict[str, str], live_server_row: Server) -> None:
    """What one answer names, the next request uses: a job that was made is read, paused, cancelled, deleted.

    The rows stay from one sequence to the next, so that the same requests need not be answered alike. Hypothesis ends
    the walk when it notices; what was found until then counts.
    """
    answers: Counter[tuple[str, int]] = Counter()
    found: list[Exception] = []

    class Walk(load(headers).as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": headers}

        def before_call(self, case: Any) -> None:
            if "id" not in case.path_parameters and case.meta.generation.mode is GenerationMode.POSITIVE:
                aim(case, live_server_row.pk)  # what is meant to be wrong must stay wrong

        def validate_response(self, response: Any, case: Any, **kwargs: Any) -> None:
            answers[case.method, response.status_code] += 1
            try:
                case.validate_response(response, checks=CHECKS)
            except Exception as error:
                found.append(error)
                raise

    with suppress(FlakyStrategyDefinition):
        Walk.run(
            settings=settings(
                max_examples=15,
                stateful_step_count=8,
                derandomize=True,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                database=None,
            )
        )
    assert found == []
    assert sum(answers.values()) > 20, answers
    assert {code for _, code in answers} > {200, 201}, answers


def aim(case: Any, server: int) -> None:
    """Let the request name what there is: chance alone never would."""
    if isinstance(case.body, dict):
        for part in [case.body, *(case.body["jobs"] if isinstance(case.body.get("jobs"), list) else [])]:
            if isinstance(part, dict):
                part.update({name: value for name, value in KNOWN.items() if name in part})
                part.pop("run_after" if "delay" in part else "", None)
    if case.query:
        case.query.pop("wait", None)
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "default"
    if "id" in case.path_parameters:
        here = {"recurring-jobs": lambda: "nightly", "servers": lambda: server, "batches": batch}
        kind = case.operation.path.partition("/{id}")[0].rpartition("/")[2]
        case.path_parameters["id"] = here.get(kind, job)()


def batch() -> int:
    return Batch.start("one", [succeeds.bind()]).pk


def job() -> int:
    return succeeds.enqueue().pk
