"""Many calls in one request: stored in sets, in their order, and each fault at its call."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from django_jobs import Filter
from django_jobs.models import Job, Server
from django_jobs.states.filters import Creation
from tests.api.conftest import Caller
from tests.app import limited  # noqa: F401  (registers its types)

pytestmark = pytest.mark.django_db(transaction=True)

ADDS = {"job_type": "tests.adds"}
PER_CUSTOMER = {"job_type": "tests.one_per_customer"}
UNIQUE = {"job_type": "tests.once_for_its_arguments"}


@pytest.fixture
def elsewhere(live_server_row: Server) -> None:
    """A type that a live server takes, and whose code is not here."""
    Server.objects.filter(pk=live_server_row.pk).update(types=["tests.elsewhere"])


@pytest.mark.parametrize("job_type", ["tests.adds", "tests.elsewhere", "tests.once_for_its_arguments"])
@pytest.mark.usefixtures("elsewhere")
def test_a_thousand_calls_take_a_few_statements(
    root: Caller, job_type: str, django_assert_max_num_queries: Any
) -> None:
    calls = [
        {"job_type": job_type, "args": [number, 0][: 2 if job_type == "tests.adds" else 1]} for number in range(1000)
    ]
    with django_assert_max_num_queries(40):
        code, told = root("post", "jobs/bulk/", {"jobs": calls})
    assert (code, [job["args"] for job in told]) == (201, [call["args"] for call in calls])
    assert Job.objects.count() == 1000


@pytest.mark.usefixtures("elsewhere")
def test_the_types_of_other_servers_are_asked_for_once(root: Caller, django_assert_max_num_queries: Any) -> None:
    calls = [{"job_type": "tests.elsewhere", "args": [], "priority": number % 2} for number in range(20)]
    with django_assert_max_num_queries(20 + 10):
        assert root("post", "jobs/bulk/", {"jobs": calls})[0] == 201


def test_calls_keep_their_order_and_their_own_options(root: Caller) -> None:
    calls: list[dict[str, Any]] = [
        {**ADDS, "args": [1, 1]},
        {**ADDS, "args": [2, 2]},
        {**ADDS, "args": [3, 3], "headers": {"a": 1}},
        {**ADDS, "args": [4, 4], "headers": {"a": True}},
        {**ADDS, "args": [5, 5], "headers": {"a": 1.0}},
        {"job_type": "tests.succeeds"},
        {**ADDS, "kwargs": {"x": 6, "y": 6}, "delay": 60},
        {**ADDS, "kwargs": {"x": 7, "y": 7}, "delay": 60},
        {**ADDS, "args": [8, 8], "queue": "critical", "tags": ["t"]},
    ]
    code, told = root("post", "jobs/bulk/", {"jobs": calls})
    assert code == 201
    jobs = [Job.objects.get(pk=job["id"]) for job in told]
    assert [job.pk for job in jobs] == sorted(job.pk for job in jobs)
    for job, call in zip(jobs, calls, strict=True):
        assert (job.job_type, job.args, job.kwargs) == (call["job_type"], call.get("args", []), call.get("kwargs", {}))
        assert (job.queue, job.tags) == (call.get("queue", "default"), call.get("tags", []))
        assert repr(job.headers) == repr(call.get("headers", {}))
        assert (job.state == "scheduled") is ("delay" in call)


def test_calls_of_one_set_with_the_same_key_are_one_job(root: Caller) -> None:
    calls = [{**UNIQUE, "args": [number]} for number in (1, 2, 1, 2, 3)]
    _, told = root("post", "jobs/bulk/", {"jobs": calls})
    ids = [job["id"] for job in told]
    assert (ids[0], ids[1]) == (ids[2], ids[3])
    assert Job.objects.count() == len(set(ids)) == 3


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({**ADDS, "args": [1]}, "jobs[3].args"),
        ({**ADDS, "args": [1, "\0"]}, "jobs[3].args[1]"),
        ({**ADDS, "args": [1], "kwargs": {"y": "\0"}}, "jobs[3].kwargs.y"),
        ({**ADDS, "args": [1, 2], "queue": "nowhere"}, "jobs[3].queue"),
        ({**ADDS, "args": [1, 2], "after": [99999999]}, "jobs[3].after"),
        ({"job_type": "tests.unknown"}, "jobs[3].job_type"),
        ({**PER_CUSTOMER, "args": ["x" * 300, 1]}, "jobs[3].concurrency_key"),
    ],
)
@pytest.mark.parametrize("after", [0, 2])
def test_a_fault_is_named_at_its_call(root: Caller, bad: dict[str, Any], named: str, after: int) -> None:
    good = [{**ADDS, "args": [1, 2]}, {**PER_CUSTOMER, "args": ["acme", 1]}, {**PER_CUSTOMER, "args": ["acme", 2]}]
    code, told = root("post", "jobs/bulk/", {"jobs": [*good, bad, *[good[-1]] * after]})
    assert (code, told["errors"][0]["field"]) == (400, named)
    assert not Job.objects.exists()


def test_a_fault_in_the_middle_of_a_set_is_named_at_its_call(root: Caller) -> None:
    calls: list[dict[str, Any]] = [{**ADDS, "args": [1, 2]} for _ in range(5)]
    calls[0]["priority"] = 1
    calls[3]["args"] = [1]
    assert root("post", "jobs/bulk/", {"jobs": calls})[1]["errors"][0]["field"] == "jobs[3].args"


def test_filters_are_asked_once_for_each_call(root: Caller, settings: Any) -> None:
    Counts.seen = []
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": [f"{__name__}.Counts"]}
    calls = [{**ADDS, "args": [number, 0]} for number in range(4)]
    assert root("post", "jobs/bulk/", {"jobs": [*calls, {**ADDS, "args": [4]}]})[0] == 400
    assert Counts.seen == [[0, 0], [1, 0], [2, 0], [3, 0], [4]]


class Counts(Filter):
    seen: ClassVar[list[Any]] = []

    def creating(self, creation: Creation) -> None:
        self.seen.append(list(creation.args))
