"""Time limits in threads: the exception arrives inside the block, or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from django_jobs.decorators import job
from django_jobs.exceptions import InvalidJob, JobTimeout
from django_jobs.registry import registry
from django_jobs.timelimits import Limit, time_limit


def in_thread(function: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    return found[0]


def spin(end: float) -> None:
    """A job's own loop, in a frame of its own as a job's are.

    Python 3.13.0 has loops whose jump back stands outside of the handlers around it: an exception that arrives just
    there leaves the frame past its ``try``, and is met by the caller's.
    """
    while time.monotonic() < end:
        pass


def loops(seconds: float, limit: float) -> str:
    end = time.monotonic() + seconds
    try:
        with time_limit(limit):
            spin(end)
    except JobTimeout as error:
        return f"{type(error).__module__}.{type(error).__qualname__} {error.seconds}"
    return "ended"


@pytest.mark.parametrize("somewhere", [in_thread, lambda function: function()], ids=["thread", "main thread"])
def test_a_block_that_takes_too_long_is_interrupted(somewhere: Callable[..., Any]) -> None:
    assert somewhere(lambda: loops(10, 0.05)) == "django_jobs.exceptions.JobTimeout 0.05"
    assert somewhere(lambda: loops(0, 5)) == "ended"


def test_limits_of_several_threads_are_their_own() -> None:
    answers: dict[float, str] = {}
    threads = [
        threading.Thread(target=lambda limit=limit: answers.update({limit: loops(0.6, limit)}))  # type: ignore[misc]
        for limit in (5.0, 0.1, 0.3, 4.0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {limit for limit, answer in answers.items() if answer != "ended"} == {0.1, 0.3}


def test_an_exception_that_comes_as_the_block_ends_never_arrives_later() -> None:
    """The block ends just when its time is up, again and again; what follows it must never be hit."""

    def race() -> list[str]:
        outcomes = []
        for number in range(400):
            limit = 0.002
            end = time.monotonic() + limit + (number % 40 - 20) * 0.00002
            try:
                with time_limit(limit):
                    spin(end)
                outcomes.append("ended")
            except JobTimeout:
                outcomes.append("late")
            for _ in range(300):  # where a stray exception would arrive
                pass
        return outcomes

    assert len(in_thread(race)) == 400


def test_a_job_that_swallows_the_exception_goes_on_without_another() -> None:
    def swallows() -> str:
        with time_limit(0.05):
            try:
                while True:
                    pass
            except JobTimeout:
                pass
        return "went on"

    began = time.monotonic()
    assert in_thread(swallows) == "went on"
    assert time.monotonic() - began < Limit.PATIENCE


def test_a_limit_that_nothing_can_come_of_is_refused() -> None:
    for wrong in (0, -1, "5", True, float("inf"), float("nan")):
        with pytest.raises(InvalidJob, match="hard_timeout: is .* give seconds above 0"):
            job("t.limits", hard_timeout=wrong)(loops)  # type: ignore[arg-type]
    with pytest.raises(InvalidJob, match="hard_timeout: is 5 s; it must be longer than timeout, 10 s"):
        job("t.limits", timeout=timedelta(seconds=10), hard_timeout=5)(loops)


def test_the_hard_limit_is_the_soft_one_and_the_grace_unless_given() -> None:
    made = [job(f"t.hard{n}", **given)(loops) for n, given in enumerate([{}, {"timeout": 5}, {"hard_timeout": 7}])]  # type: ignore[arg-type]
    assert [function.job_type.hard_limit for function in made] == [0, 35, 7]
    for function in made:
        registry.remove(function.name)
