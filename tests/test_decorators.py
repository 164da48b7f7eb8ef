"""`@job` makes job types, and refuses what could not run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

import django_jobs
from django_jobs import job
from django_jobs.exceptions import DuplicateJobType, InvalidJob
from django_jobs.registry import registry
from tests.app.jobs import adds


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = set(registry.names())
    yield
    for name in set(registry.names()) - before:
        registry.remove(name)


def plain(x: int) -> int:
    """Adds nothing.

    And says so.
    """
    return x


def other(x: int) -> int:
    return x


class WithoutRun:
    pass


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
        (plain, {"timeout": 0}, "timeout"),
        (plain, {"timeout": "30"}, "timeout"),
        (plain, {"timeout": timedelta(seconds=-1)}, "timeout"),
        (plain, {"ack": "never"}, "ack"),
        (plain, {"que": "critical"}, "que"),
    ],
)
def test_what_could_not_run_is_refused(target: Any, options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        job("t.wrong", **options)(target)
    assert refused.value.field == field
    assert "t.wrong" not in registry


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
