"""What a run leaves behind comes back as it was, whatever characters it has."""

from __future__ import annotations

import json

import pytest

from django_jobs import clock, monitoring
from django_jobs.states import machine
from tests.app.jobs import succeeds
from tests.conformance.test_machine import ME, ended

pytestmark = pytest.mark.django_db(transaction=True)

NASTY = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{a,b}",
    "a,b",
    "'",
    "%s",
    "%(x)s",
    "\n\t\r",
    "ä漢🎉",
    " ",
    "$1",
    "\\u0000 as text",
]


@pytest.mark.parametrize("text", NASTY)
def test_results_and_reasons_with_any_characters(text: str) -> None:
    job, other = succeeds.enqueue_many([(), ()])
    machine.claim([job.pk, other.pk], ["tests.succeeds"], ME)
    data = json.dumps({"text": text})
    run = ended(job, result={text: [text, None]}, reason=text)._replace(data=data)
    assert len(machine.acknowledge([run, ended(other)], ME).done) == 2
    job.refresh_from_db()
    assert (job.state, job.result, job.state_reason) == ("succeeded", {text: [text, None]}, text)
    assert monitoring.history(job)[-1].data == {"text": text}
    assert job.finished_at is not None
    assert abs((job.finished_at - clock.now()).total_seconds()) < 600
