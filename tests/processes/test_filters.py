"""Filters that raise, in real processes: their jobs end Failed, and nobody else waits for that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.app.jobs import adds, cannot_be_enqueued, has_a_filter_that_raises, succeeds
from tests.servers import RunJobs

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

Start = Callable[..., RunJobs]


def test_a_filter_that_raises_fails_its_own_job_and_delays_no_other(runjobs: Start) -> None:
    server = runjobs("--processes", "2")
    mixed = has_a_filter_that_raises.enqueue_many([(number == 5,) for number in range(20)])
    stuck = cannot_be_enqueued.schedule(timedelta(seconds=0.2))
    due = [succeeds.schedule(timedelta(seconds=0.3), number) for number in range(5)]
    culprit = mixed[5]
    ended = [job.wait(20) for job in [*mixed[:5], *mixed[6:], *due]]
    assert {job.state for job in ended} == {"succeeded"}
    assert adds.enqueue(1, 2).wait(20).result == 3
    last = culprit.wait(40)
    reason = "Filter tests.app.filters.RaisesAtTheEnd raised LookupError"
    assert (last.state, last.state_reason, last.run) == ("failed", reason, 1)
    late = stuck.wait(40)
    assert (late.state, late.state_reason) == ("failed", "Filter tests.app.filters.RaisesWhenDue raised LookupError")
    assert "next try in 0.5 s" in server.log
    assert "without asking filters" in server.log


def test_a_server_that_stops_records_what_a_filter_did_not_let_it(runjobs: Start) -> None:
    server = runjobs("--processes", "1")
    culprit = has_a_filter_that_raises.enqueue(True)
    neighbour = has_a_filter_that_raises.enqueue(False)
    assert neighbour.wait(20).state == "succeeded"
    server.ask_to_stop()
    assert server.wait(40) == 0
    culprit.refresh_from_db()
    assert (culprit.state, culprit.run) == ("failed", 1)
