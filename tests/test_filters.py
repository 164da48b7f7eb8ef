"""Filters and middleware: what they may do to a call, and around a run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import LazySettings
from django.core.checks import run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from django_jobs import Cancel, Filter, Retry, execution, job
from django_jobs.context import JobContext
from django_jobs.exceptions import EnqueueCancelled, InvalidJob
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.states import filters
from django_jobs.states.filters import Creation
from django_jobs.states.statements import Claimed, Finish
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db
HERE = __name__
told: list[Any] = []
current_tenant: ContextVar[str] = ContextVar("current_tenant", default="")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = set(registry.names())
    told.clear()
    filters.forget()
    yield
    for name in set(registry.names()) - before:
        registry.remove(name)


def use(settings: LazySettings, *names: str, middleware: Sequence[str] = ()) -> None:
    settings.DJANGO_JOBS = {
        **settings.DJANGO_JOBS,
        "FILTERS": [f"{HERE}.{name}" for name in names],
        "MIDDLEWARE": [f"{HERE}.{name}" for name in middleware],
    }


def run(name: str, *args: Any, headers: dict[str, Any] | None = None) -> Finish:
    claimed = Claimed(7, name, json.dumps(args), "{}", 1, "default", 0, 0, headers=json.dumps(headers or {}))
    return execution.run(claimed, "w/1")


# Creation


class Enriches(Filter):
    def creating(self, creation: Creation) -> None:
        creation.tags.append("seen")
        creation.headers["tenant"] = current_tenant.get()
        creation.queue = "critical"
        creation.priority += 1
        creation.args = [value * 2 for value in creation.args]
        creation.run_after = timedelta(hours=1)


class Refuses(Filter):
    def creating(self, creation: Creation) -> None:
        if creation.args and creation.args[0] == "no":
            creation.cancel("not today")


class WritesNonsense(Filter):
    def creating(self, creation: Creation) -> None:
        creation.priority = 1000


class Breaks(Filter):
    def creating(self, creation: Creation) -> None:
        raise LookupError("no tenant")


class Counts(Filter):
    def created(self, jobs: Sequence[Job]) -> None:
        told.append([(made.pk, made.job_type, made.state) for made in jobs])


class RefusesLate(Filter):
    def created(self, jobs: Sequence[Job]) -> None:
        raise LookupError("late")


def test_a_filter_enriches_a_call(settings: LazySettings) -> None:
    use(settings, "Enriches")
    token = current_tenant.set("acme")
    made = adds.using(tags=["mine"]).enqueue(1, 2)
    current_tenant.reset(token)
    made.refresh_from_db()
    assert (made.args, made.tags, made.headers) == ([2, 4], ["mine", "seen"], {"tenant": "acme"})
    assert (made.queue, made.priority, made.state) == ("critical", 1, "scheduled")


def test_a_filter_does_not_change_the_options_of_the_next_call(settings: LazySettings) -> None:
    use(settings, "Enriches")
    task = adds.using(tags=["mine"], headers={"a": 1})
    task.enqueue(1, 2)
    assert task.enqueue(1, 2).tags == ["mine", "seen"]
    assert task.options.headers == {"a": 1}


def test_a_refused_call_stores_nothing_of_its_set(settings: LazySettings) -> None:
    use(settings, "Refuses")
    with pytest.raises(EnqueueCancelled, match=r"refused to enqueue tests\.succeeds: not today") as caught:
        succeeds.enqueue_many([("yes",), ("no",)])
    assert (caught.value.job_type, caught.value.reason) == ("tests.succeeds", "not today")
    assert not Job.objects.exists()
    assert succeeds.enqueue("yes").pk


def test_what_a_filter_writes_is_checked_as_the_callers_own(settings: LazySettings) -> None:
    use(settings, "WritesNonsense")
    with pytest.raises(InvalidJob, match="priority: is 1000"):
        adds.enqueue(1, 2)


@pytest.mark.parametrize(("name", "value"), [("tags", "acme"), ("tags", None), ("headers", None), ("headers", ["a"])])
def test_what_the_caller_wrote_is_checked_before_filters_read_it(settings: LazySettings, name: str, value: Any) -> None:
    use(settings, "Enriches")
    with pytest.raises(InvalidJob, match=f"^{name}"):
        adds.using(**{name: value}).enqueue(1, 2)


def test_a_filter_that_raises_refuses_the_enqueue_with_its_error(settings: LazySettings) -> None:
    for name in ("Breaks", "RefusesLate"):
        use(settings, name)
        with pytest.raises(LookupError):
            adds.enqueue(1, 2)
        assert not Job.objects.exists()


def test_created_sees_the_stored_jobs_of_a_set(settings: LazySettings) -> None:
    use(settings, "Counts")
    jobs = adds.enqueue_many([(1, 1), (2, 2)])
    assert told == [[(made.pk, "tests.adds", "enqueued") for made in jobs]]


@pytest.mark.parametrize("headers", [["a"], {"a": {1}}, {"a": "x" * 9000}])
def test_headers_are_a_small_dictionary_of_json(headers: Any) -> None:
    with pytest.raises(InvalidJob, match="^headers"):
        adds.using(headers=headers).enqueue(1, 2)
    assert not Job.objects.exists()


# Around a run


class Outer(Filter):
    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        told.append("outer")
        result = proceed()
        told.append("outer ends")
        return f"<{result}>"


class Inner(Filter):
    async def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        told.append("inner")
        result = await proceed()
        told.append("inner ends")
        return f"[{result}]"


class RestoresTenant(Filter):
    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        token = current_tenant.set(ctx.headers["tenant"])
        try:
            return proceed()
        finally:
            current_tenant.reset(token)


class CancelsEverything(Filter):
    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        raise Cancel("out of hours")


class FailsBefore(Filter):
    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        raise LookupError("before")


def sync_middleware(run: Callable[[JobContext], Any]) -> Callable[[JobContext], Any]:
    def call(ctx: JobContext) -> Any:
        told.append("middleware")
        return f"m({run(ctx)})"

    return call


@sync_and_async_middleware
def any_middleware(run: Callable[[JobContext], Any]) -> Callable[[JobContext], Any]:
    if iscoroutinefunction(run):

        async def async_call(ctx: JobContext) -> Any:
            told.append("async")
            return f"a({await run(ctx)})"

        return async_call

    def call(ctx: JobContext) -> Any:
        told.append("sync")
        return f"s({run(ctx)})"

    return call


@async_only_middleware
def async_middleware(run: Callable[[JobContext], Any]) -> Callable[[JobContext], Any]:
    async def call(ctx: JobContext) -> Any:
        told.append("async only")
        return f"o({await run(ctx)})"

    return call


def cancels(run: Callable[[JobContext], Any]) -> Callable[[JobContext], Any]:
    def call(ctx: JobContext) -> Any:
        raise Cancel

    return call


def plain(x: int) -> str:
    return f"{x} {current_tenant.get()}".strip()


async def awaited(x: int) -> str:
    return f"{x} {current_tenant.get()}".strip()


def cancels_itself() -> None:
    raise Cancel("enough")


@pytest.mark.parametrize("function", [plain, awaited])
@pytest.mark.parametrize("order", [("Outer", "Inner"), ("Inner", "Outer")])
def test_layers_stand_around_a_run_in_order(settings: LazySettings, function: Any, order: tuple[str, str]) -> None:
    use(settings, *order, middleware=["sync_middleware"])
    job("t.run")(function)
    ended = run("t.run", 5)
    assert ended.state == "succeeded", ended.reason
    first, second = (name.lower() for name in order)
    assert told == ["middleware", first, second, f"{second} ends", f"{first} ends"]
    marks = {"Outer": "<{}>", "Inner": "[{}]"}
    assert json.loads(ended.result or "") == f"m({marks[order[0]].format(marks[order[1]].format(5))})"


@pytest.mark.parametrize("function", [plain, awaited])
@pytest.mark.parametrize(
    ("stack", "sync_result", "async_result"),
    [
        (["any_middleware"], "s(5)", "a(5)"),
        (["async_middleware"], "o(5)", "o(5)"),
        (["any_middleware", "async_middleware"], "a(o(5))", "a(o(5))"),
        (["async_middleware", "sync_middleware"], "o(m(5))", "o(m(5))"),
        (["sync_middleware", "any_middleware"], "m(s(5))", "m(a(5))"),
    ],
)
def test_middleware_is_sync_or_async_as_its_marks_say(
    settings: LazySettings, function: Any, stack: list[str], sync_result: str, async_result: str
) -> None:
    use(settings, middleware=stack)
    job("t.run")(function)
    ended = run("t.run", 5)
    assert json.loads(ended.result or "") == (sync_result if function is plain else async_result), ended.reason


@pytest.mark.parametrize("function", [plain, awaited])
@pytest.mark.parametrize("beside", [(), ("Inner",)])
def test_a_context_variable_that_is_set_around_a_run_is_seen_in_it(
    settings: LazySettings, function: Any, beside: tuple[str, ...]
) -> None:
    use(settings, "RestoresTenant", *beside)
    job("t.run")(function)
    ended = run("t.run", 5, headers={"tenant": "acme"})
    assert json.loads(ended.result or "").strip("[]") == "5 acme"
    assert current_tenant.get() == ""


def test_a_run_may_be_cancelled_by_a_filter_a_middleware_or_itself(settings: LazySettings) -> None:
    job("t.run")(plain)
    job("t.itself")(cancels_itself)
    use(settings, "Outer", "CancelsEverything")
    ended = run("t.run", 5)
    reason = f"Cancelled by filter {HERE}.CancelsEverything: out of hours"
    assert (ended.state, ended.reason, ended.failed) == ("deleted", reason[:200], 0)
    use(settings, middleware=["sync_middleware", "cancels"])
    assert run("t.run", 5).reason == f"Cancelled by filter {HERE}.cancels"
    use(settings)
    assert run("t.itself").reason == "Cancelled by itself: enough"


def test_what_else_a_filter_raises_around_a_run_is_a_failure_of_the_run(settings: LazySettings) -> None:
    use(settings, "FailsBefore")
    job("t.run", retry=Retry(attempts=0))(plain)
    assert run("t.run", 5).reason == "LookupError: before"


def test_a_type_has_filters_of_its_own_after_the_sites(settings: LazySettings) -> None:
    use(settings, "Outer")
    job("t.run", filters=[Inner])(plain)
    job("t.other", filters=[f"{HERE}.Inner", f"{HERE}.Outer"])(awaited)
    assert json.loads(run("t.run", 5).result or "") == "<[5]>"
    assert json.loads(run("t.other", 5).result or "") == "<[5]>"
    assert filters.chain("perform", "t.run")[1] is filters.chain("perform", "t.other")[1]


def test_plain_types_have_nothing_around_them() -> None:
    job("t.run")(plain)
    assert filters.chain("perform", "t.run") == filters.chain("creating", "t.run") == ()


@pytest.mark.parametrize("function", [plain, awaited])
def test_a_time_limit_holds_inside_of_layers(settings: LazySettings, function: Any) -> None:
    use(settings, "Outer", middleware=["any_middleware"])
    job("t.run", timeout=0.1, retry=Retry(attempts=0))(sleeps if function is plain else sleeps_async)
    assert "JobTimeout" in run("t.run").reason


def sleeps() -> None:
    time.sleep(10)


async def sleeps_async() -> None:
    await asyncio.sleep(10)


# Configuration


class NeedsAnArgument(Filter):
    def __init__(self, size: int) -> None: ...


@pytest.mark.parametrize(
    ("key", "entry", "hint"),
    [
        ("FILTERS", "nowhere.Filter", "ModuleNotFoundError"),
        ("FILTERS", f"{HERE}.Missing", "ImportError"),
        ("FILTERS", f"{HERE}.sync_middleware", "no subclass"),
        ("FILTERS", f"{HERE}.NeedsAnArgument", "TypeError"),
        ("FILTERS", 7, "no subclass"),
        ("MIDDLEWARE", "nowhere.factory", "ModuleNotFoundError"),
        ("MIDDLEWARE", f"{HERE}.HERE", "cannot be called"),
    ],
)
def test_a_filter_that_cannot_be_used_is_an_error_at_start(
    settings: LazySettings, key: str, entry: Any, hint: str
) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, key: [entry]}
    (found,) = (error for error in run_checks() if error.id == "django_jobs.E008")
    assert key in found.msg
    assert hint in found.hint


def test_runjobs_does_not_start_with_such_a_filter(settings: LazySettings) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": ["nowhere.Filter"]}
    with pytest.raises(SystemCheckError, match=r"names 'nowhere\.Filter', which cannot be used"):
        call_command("runjobs", burst=True, skip_checks=False)


def test_the_filters_of_a_type_are_checked_too() -> None:
    job("t.run", filters=["nowhere.Filter"])(plain)
    assert [error.id for error in run_checks()] == ["django_jobs.E008"]
    with pytest.raises(InvalidJob, match="filters: has 7"):
        job("t.other", filters=[7])(plain)


def test_filters_must_be_a_list(settings: LazySettings) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": f"{HERE}.Outer"}
    assert [error.id for error in run_checks()] == ["django_jobs.E008"]
