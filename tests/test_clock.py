"""The one clock: it follows the truth it was told, and does not step with the host's."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import time_machine

from django_jobs.clock import Clock


def test_a_free_clock_is_the_hosts() -> None:
    with time_machine.travel(datetime(2026, 11, 1, 5, 30, tzinfo=UTC), tick=False):
        assert Clock().now() == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_an_anchored_clock_follows_the_truth_and_never_goes_back() -> None:
    clock = Clock()
    truth = datetime(2030, 1, 1, tzinfo=UTC)
    drift = clock.anchor(truth)
    assert drift > 0
    assert timedelta(0) <= clock.now() - truth < timedelta(seconds=5)
    earlier = clock.now()
    time.sleep(0.01)
    assert clock.now() > earlier
    assert clock.now().tzinfo is UTC
    clock.release()
    assert clock.now() < truth
