"""``jobs batches``, and relatives in ``jobs show``."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_jobs import Batch
from django_jobs.models import Job
from tests.app.jobs import adds

pytestmark = pytest.mark.django_db(transaction=True)


def jobs(*arguments: str) -> str:
    out = StringIO()
    call_command("jobs", *arguments, stdout=out, no_color=True)
    return out.getvalue()


def test_batches_are_listed_with_their_progress() -> None:
    with pytest.raises(CommandError, match="There are no batches"):
        jobs("batches")
    batch = Batch.start("bulk", [adds.bind(1, 1), adds.bind(2, 2)])
    header, line = jobs("batches").splitlines()
    assert header.split()[:2] == ["id", "state"]
    assert line.split()[:7] == [str(batch.pk), "started", "0", "0", "0", "2", "0"]
    (facts,) = json.loads(jobs("batches", "--json"))
    assert facts["progress"] == {"total": 2, "done": 0, "failed": 0, "deleted": 0, "ended": 0, "open": 2, "percent": 0}


def test_a_batch_is_cancelled_once() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1)])
    assert "is cancelled" in jobs("batches", "cancel", str(batch.pk))
    assert jobs("batches").splitlines()[1].split()[1] == "cancelled"
    for wrong in (("cancel", str(batch.pk)), ("cancel", "999"), ("cancel",)):
        with pytest.raises(CommandError):
            jobs("batches", *wrong)


def test_show_tells_of_relatives() -> None:
    batch = Batch.start("bulk", [adds.bind(1, 1).then(adds, 2, 2)])
    first, second = Job.objects.order_by("pk")
    last = adds.using(after=[second, batch], on="any").enqueue(3, 3)
    shown = jobs("show", str(second.pk))
    assert f"after       #{first.pk} enqueued" in shown
    assert f"before      #{last.pk} awaiting (any)" in shown
    assert f"batch       #{batch.pk}" in shown
    assert f"after       #{second.pk} awaiting (any), batch #{batch.pk} started (any)" in jobs("show", str(last.pk))
