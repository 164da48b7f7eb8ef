"""The pages about filters and signals: their code runs, and is that of the example project."""

from __future__ import annotations

import logging
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone, translation

from django_jobs import Filter, Retry, execution, job, signals
from django_jobs.conf import DEFAULTS
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.states import filters, machine, patience
from example_project.shop import filters as shop

pytestmark = pytest.mark.django_db(transaction=True)

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "how-to/filters.md").read_text()
SIGNALS = (DOCS / "reference/signals.md").read_text()
SOURCE = Path(shop.__file__).read_text()
ME = "server/1"


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    before = set(registry.names())
    filters.forget()
    yield
    filters.forget()
    sys.modules.pop("documented", None)
    for name in set(registry.names()) - before:
        registry.remove(name)


def block(page: str, word: str) -> str:
    (found,) = (text for text in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if word in text)
    return found


def module(source: str, **known: Any) -> ModuleType:
    made = sys.modules["documented"] = ModuleType("documented")
    made.__dict__.update(known)
    exec(compile("from __future__ import annotations\n" + source, "documented", "exec"), made.__dict__)
    return made


def run(row: Job) -> Job:
    (claimed,) = machine.claim([row.pk], [row.job_type], ME)
    machine.acknowledge([execution.run(claimed, ME)], ME)
    row.refresh_from_db()
    return row


def tells() -> list[str | None]:
    return [shop.tenant.get(), translation.get_language(), timezone.get_current_timezone_name()]


async def tells_async() -> list[str | None]:
    return tells()


def fails() -> None:
    raise BankClosed


class BankClosed(Exception):
    """For the page's example."""


@pytest.mark.parametrize("word", ["class JobLog", "class TenantContext"])
def test_the_pages_examples_are_those_of_the_example_project(word: str) -> None:
    assert block(PAGE, word).strip() in SOURCE


def test_the_setting_of_the_page_is_one() -> None:
    given = module(block(PAGE, "DJANGO_JOBS =")).DJANGO_JOBS
    assert set(given) <= set(DEFAULTS)
    assert [filters.problem(f"example_project.{path}") for path in given["FILTERS"]] == ["", ""]


def test_a_type_names_its_filters_as_the_page_says() -> None:
    made = module(block(PAGE, "close_month"), JobLog=shop.JobLog)
    assert made.close_month.job_type.filters == (shop.JobLog,)


def test_the_job_log_tells_of_creation_start_and_end(settings: LazySettings, caplog: pytest.LogCaptureFixture) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": ["example_project.shop.filters.JobLog"]}
    with caplog.at_level(logging.INFO, "shop.jobs"):
        good = run(job("t.tells")(tells).enqueue())
        bad = run(job("t.fails", retry=Retry(attempts=0))(fails).enqueue())
    told = [re.sub(r"\d+\.\d+", "1.0", record.message) for record in caplog.records if record.name == "shop.jobs"]
    assert told == [
        f"created #{good.pk} t.tells in queue default",
        f"#{good.pk} t.tells starts, attempt 1",
        f"#{good.pk} t.tells returned after 1.0 s",
        f"created #{bad.pk} t.fails in queue default",
        f"#{bad.pk} t.fails starts, attempt 1",
        f"#{bad.pk} t.fails raised after 1.0 s",
    ]


@pytest.mark.parametrize("function", [tells, tells_async])
def test_a_job_runs_for_the_tenant_of_the_request_that_enqueued_it(function: Callable[[], Any]) -> None:
    task = job("t.tells", filters=[shop.TenantContext])(function)

    def view(request: HttpRequest) -> HttpResponse:
        with translation.override("de"), timezone.override(ZoneInfo("Asia/Kolkata")):
            return HttpResponse(str(task.enqueue().pk))

    request = RequestFactory().get("/", headers={"host": "acme.testserver"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(HttpRequest, "get_host", lambda self: "acme.testserver")
        answer = shop.tenant_middleware(view)(request)
    assert shop.tenant.get() == ""
    row = Job.objects.get(pk=int(answer.content))
    assert row.headers == {"tenant": "acme", "language": "de", "time_zone": "Asia/Kolkata"}
    assert run(row).result == ["acme", "de", "Asia/Kolkata"]
    assert shop.tenant.get() == ""
    assert run(task.using(headers={"tenant": "other"}).enqueue()).result[0] == "other"


def test_a_filter_for_failures_alone(settings: LazySettings) -> None:
    module(block(PAGE, "class OutOfHours"), BankClosed=BankClosed)
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": ["documented.OutOfHours"]}
    row = run(job("t.fails")(fails).enqueue())
    assert (row.state, row.state_reason, row.scheduled_at - row.finished_at) == (
        "scheduled",
        "The bank is closed",
        timedelta(hours=8),
    )
    assert filters.chosen("elect", "t.fails", "succeeded") == ()


def test_a_function_as_middleware(settings: LazySettings) -> None:
    told: list[Any] = []

    class Statsd:
        timing = staticmethod(lambda *facts: told.append(facts))

    module(block(PAGE, "def timed"), statsd=Statsd)
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "MIDDLEWARE": ["documented.timed"]}
    assert run(job("t.tells")(tells).enqueue()).state == "succeeded"
    assert [name for name, seconds in told] == ["t.tells"]


def test_the_page_names_every_method_and_the_pauses() -> None:
    methods = [name for name, value in vars(Filter).items() if callable(value) and not name.startswith("_")]
    assert [name for name in methods if f"| `{name}(" not in PAGE] == []
    *first, last = (f"{pause:g}" for pause in patience.PAUSES)
    assert textwrap.dedent(f"asked again after {', '.join(first)} and {last} seconds") in PAGE


def test_every_signal_is_in_the_reference() -> None:
    ours = {name for name, value in vars(signals).items() if isinstance(value, Signal)}
    assert set(re.findall(r"^\| `(\w+)` \|", SIGNALS, re.M)) == ours


def test_the_receiver_of_the_reference_hears_of_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    mails: list[Any] = []
    monkeypatch.setattr("django.core.mail.mail_admins", lambda *words: mails.append(words))
    made = module(block(SIGNALS, "tell_somebody"))
    try:
        row = run(job("t.fails", retry=Retry(attempts=0))(fails).enqueue())
    finally:
        signals.job_failed.disconnect(made.tell_somebody)
    assert mails == [(f"Job {row.pk} failed", row.state_reason)]
