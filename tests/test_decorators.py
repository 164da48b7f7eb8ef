"""`@job` makes job types, and refuses what could not run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

import django_jobs
from django_jobs import Retry, client, job, recurring
from django_jobs.creation import Options
from django_jobs.exceptions import DuplicateJobType, InvalidJob, UnknownJobType
from django_jobs.models import RecurringJob
from django_jobs.registry import registry
from tests.app.jobs import adds


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = set(registry.names())
    yield
    registry.elsewhere.clear()
    for name in set(registry.names()) - before:
        registry.remove(name)


def plain(x: int) -> int:
    """Adds nothing.

    And says so.
    """
    return x


def other(x: int) -> int:
    return x


def takes_any(**options: Any) -> Any:
    return options


class WithoutRun:
    pass


def yields() -> Iterator[int]:
    yield 1


async def yields_later() -> AsyncIterator[int]:
    yield 1


class Yields:
    def run(self) -> Iterator[int]:
        yield 1


class RunsForItself:
    @staticmethod
    def run(x: int) -> int:
        return x


class RunsForItsClass:
    @classmethod
    def run(cls, x: int) -> int:
        return x


def test_a_bare_decorator_names_the_type_after_its_function() -> None:
    made = job(plain)
    assert made.name == f"{__name__}.plain"
    assert made(3) == 3, "called, it is the plain function"
    assert made.__doc__ == plain.__doc__
    assert registry.get(made.name).target is plain


def test_options_of_the_type_are_kept() -> None:
    made = job("t.plain", queue="critical", priority=3, timeout=timedelta(minutes=2), aliases=["t.old"])(plain)
    assert (made.job_type.queue, made.job_type.priority, made.job_type.timeout) == ("critical", 3, 120)
    assert registry.get("t.old") is made.job_type


def test_expiry_is_given_as_a_span_or_in_seconds() -> None:
    for expires in (60, 60.0, timedelta(minutes=1)):
        assert job("t.plain", expires=expires)(plain).job_type.expires == timedelta(minutes=1)
        assert adds.using(expires=expires).options.expires == timedelta(minutes=1)
    with pytest.raises(InvalidJob, match="expires"):
        adds.using(expires=float("nan"))


def test_the_name_may_be_given_by_name() -> None:
    assert job(name="t.named")(plain).name == "t.named"


@pytest.mark.django_db
def test_no_argument_of_a_job_collides_with_ours() -> None:
    names = ("self", "when", "task", "on", "by", "timeout", "options", "function")
    made = job("t.any")(takes_any)
    arguments = dict.fromkeys(names, 1)
    assert made(**arguments) == arguments
    assert made.enqueue(**arguments).kwargs == arguments
    assert made.schedule(timedelta(hours=1), **arguments).kwargs == arguments
    assert made.bind(**arguments).kwargs == arguments


@pytest.mark.django_db
def test_a_type_whose_code_is_elsewhere_is_declared() -> None:
    with pytest.raises(UnknownJobType):
        client.enqueue("far.away", [((1,), {})], Options())
    django_jobs.declare("far.away")
    assert client.enqueue("far.away", [((1,), {})], Options())[0].job_type == "far.away"
    assert RecurringJob.objects.add_or_update("far", "far.away", cron="@daily").job_type == "far.away"
    assert "far.away" not in registry.names(), "a server here does not take it"
    with pytest.raises(InvalidJob, match="name"):
        django_jobs.declare("")


def test_attempts_by_the_names_of_djangos_tasks() -> None:
    made = job("t.plain", max_attempts=3)(plain)
    assert made.job_type.retry is not None
    assert (made.job_type.retry.attempts, made.job_type.retry.backoff) == (2, None)


def test_a_name_used_twice_is_refused_naming_both() -> None:
    job("t.plain")(plain)
    job("t.plain")(plain)  # a module imported again
    with pytest.raises(DuplicateJobType, match=r"test_decorators\.plain and by .*test_decorators\.other"):
        job("t.plain")(other)
    with pytest.raises(DuplicateJobType):
        job("t.other", aliases=["t.plain"])(other)
    assert "t.other" not in registry


@pytest.mark.parametrize(
    ("target", "options", "field"),
    [
        (lambda: None, {}, "target"),
        (WithoutRun, {}, "target"),
        (partial(plain, 1), {}, "target"),
        (yields, {}, "target"),
        (yields_later, {}, "target"),
        (Yields, {}, "target"),
        (plain, {"timeout": 0}, "timeout"),
        (plain, {"timeout": "30"}, "timeout"),
        (plain, {"timeout": timedelta(seconds=-1)}, "timeout"),
        (plain, {"ack": "never"}, "ack"),
        (plain, {"expires": 0}, "expires"),
        (plain, {"expires": "soon"}, "expires"),
        (plain, {"expires": 1e300}, "expires"),
        (plain, {"max_attempts": 0}, "max_attempts"),
        (plain, {"max_attempts": True}, "max_attempts"),
        (plain, {"backoff": 5}, "backoff"),
        (plain, {"max_attempts": 3, "retry": Retry()}, "max_attempts"),
        (plain, {"que": "critical"}, "que"),
        (plain, {"priority": 500}, "priority"),
        (plain, {"retention": "1d"}, "retention"),
        (plain, {"retention": 5}, "retention"),
    ],
)
def test_what_could_not_run_is_refused(target: Any, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        job("t.wrong", **options)(target)
    assert refused.value.field == field
    assert "t.wrong" not in registry


@pytest.mark.parametrize("target", [RunsForItself, RunsForItsClass])
def test_run_need_not_be_a_method_of_an_instance(target: Any) -> None:
    made: Any = job("t.run")(target)
    assert list(made.job_type.signature.parameters) == ["x"]
    assert made.job_type.function(3) == 3


def test_one_old_name_is_not_taken_for_its_letters() -> None:
    assert job("t.plain", aliases="t.old")(plain).job_type.aliases == ("t.old",)
    assert "t.old" in registry
    assert "o" not in registry


def test_recurring_without_its_terms_is_told_how_it_is_written() -> None:
    with pytest.raises(InvalidJob, match=r"write @recurring\("):
        recurring(job("t.plain")(plain))  # type: ignore[arg-type]


def test_a_function_inside_a_function_is_refused() -> None:
    def inner() -> None: ...

    with pytest.raises(InvalidJob, match="top level of a module"):
        job("t.inner")(inner)


def test_a_name_too_long_to_store_is_refused() -> None:
    with pytest.raises(InvalidJob, match="201 characters"):
        job("x" * 201)(plain)


def test_using_returns_a_copy() -> None:
    bound = adds.using(priority=3).using(queue="critical")
    assert (bound.options.priority, bound.options.queue) == (3, "critical")
    assert adds.options.priority is None
    with pytest.raises(InvalidJob, match="is no option of a call"):
        adds.using(colour="red")


def test_the_public_names_are_there() -> None:
    for name in django_jobs.__all__:
        assert getattr(django_jobs, name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        django_jobs.nonsense  # noqa: B018
