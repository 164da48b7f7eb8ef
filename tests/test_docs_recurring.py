"""The blocks of the how-to about recurring jobs run as they are written."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from django_jobs.declared import declarations, sync
from django_jobs.models import Job, RecurringJob
from django_jobs.registry import registry

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parent.parent / "docs/how-to/recurring.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def billing(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the first block, under its name."""
    monkeypatch.setattr(declarations, "_known", {})
    module = ModuleType("billing.jobs")
    monkeypatch.setitem(sys.modules, "billing.jobs", module)
    module.__dict__["__name__"] = "billing.jobs"
    exec(compile(BLOCKS[0], "recurring.md", "exec"), module.__dict__)
    yield module
    registry.remove("billing.nightly_report")


def test_the_declaration_is_stored() -> None:
    assert sync().stored == ["nightly-report"]
    row = RecurringJob.objects.get()
    assert (row.cron, row.time_zone, row.overlap) == ("0 2 * * *", "Asia/Kolkata", "skip")


def test_the_calls_do_what_they_say() -> None:
    names: dict[str, object] = {}
    exec(compile(BLOCKS[1], "recurring.md", "exec"), names)
    assert not RecurringJob.objects.exists()
    row = names["row"]
    assert isinstance(row, RecurringJob)
    assert Job.objects.get().recurring_job_id == "report-of-acme"
    runs = [f"{at:%d %B %H:%M %Z}" for at in row.next_runs(2, after=names["datetime"](2028, 2, 2, tzinfo=names["UTC"]))]  # type: ignore[operator]
    assert runs == ["29 February 23:00 EST", "31 March 23:00 EDT"]
