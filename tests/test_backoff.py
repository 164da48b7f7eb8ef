"""When a failed job runs again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_jobs.backoff import NEVER, Retry, retry_from

BROKEN = ValueError("broken")


def test_delays_are_taken_in_order_and_the_last_repeats() -> None:
    retry = Retry(attempts=4, delays=[60, timedelta(minutes=5), 900])
    assert [retry.delay(BROKEN, number) for number in range(1, 6)] == [60, 300, 900, 900, None]


def test_the_growing_delays_are_hangfires() -> None:
    for number, least, most in ((1, 15, 44), (5, 271, 416), (10, 6576, 6866)):
        assert all(least <= (Retry().delay(BROKEN, number) or 0) <= most for _ in range(50))
    assert Retry().delay(BROKEN, 11) is None


def test_jitter_only_adds() -> None:
    delays = [Retry(delays=[100], jitter=0.5).delay(BROKEN, 1) or 0 for _ in range(100)]
    assert all(100 <= delay <= 150 for delay in delays)
    assert len(set(delays)) > 1


def test_a_function_decides_and_none_stops() -> None:
    retry = Retry(
        attempts=5, backoff=lambda error, number: None if "fatal" in str(error) else timedelta(seconds=number)
    )
    assert retry.delay(BROKEN, 3) == 3
    assert retry.delay(ValueError("fatal"), 1) is None


@pytest.mark.parametrize(
    ("policy", "error", "again"),
    [
        ({"only_on": [OSError]}, ConnectionError(), True),
        ({"only_on": [OSError]}, ValueError(), False),
        ({"only_on": ["OSError"]}, ConnectionError(), True),
        ({"except_on": [ArithmeticError]}, ZeroDivisionError(), False),
        ({"except_on": ["django_jobs.exceptions.JobTimeout"]}, ValueError(), True),
        ({"only_on": [Exception], "except_on": [KeyError]}, KeyError(), False),
        ({"only_on": ConnectionError}, ConnectionResetError(), True),
        ({"only_on": "ConnectionError"}, ValueError(), False),
        ({"only_on": "ConnectionError"}, ConnectionResetError(), True),
        ({"except_on": ValueError}, UnicodeError(), False),
        ({"only_on": (kind for kind in [OSError])}, OSError(), True),
    ],
)
def test_exceptions_are_matched_with_their_subclasses(policy: dict[str, Any], error: Exception, again: bool) -> None:
    retry = Retry(**policy)
    assert [retry.delay(error, number) is not None for number in (1, 2)] == [again, again]


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": -1},
        {"attempts": "3"},
        {"delays": []},
        {"delays": [-1]},
        {"delays": "x"},
        {"delays": ["60"]},
        {"delays": 60},
        {"delays": [float("nan")]},
        {"delays": [float("inf")]},
        {"backoff": 5},
        {"only_on": 5},
        {"only_on": [None]},
        {"only_on": ""},
        {"only_on": int},
        {"except_on": [ValueError()]},
        {"jitter": 2},
        {"jitter": "a little"},
        {"on_exceeded": "explode"},
        {"delays": [1], "backoff": lambda error, number: 1},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Retry"):
        Retry(**wrong)


def test_a_setting_may_be_written_in_three_ways() -> None:
    assert retry_from(None) is NEVER
    assert retry_from({"attempts": 2}) == Retry(attempts=2)
    assert retry_from(3).attempts == 3
    with pytest.raises(TypeError):
        retry_from({"tries": 2})
