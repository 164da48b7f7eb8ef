"""Async jobs of one process share an event loop; each has the thread and the connection of its slot."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async

from django_jobs.eventloop import EventLoop, limited
from django_jobs.exceptions import JobTimeout


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    made.open()
    yield made
    made.close()


async def tells_its_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


async def tells_its_threads() -> tuple[int, int]:
    return threading.get_ident(), await sync_to_async(threading.get_ident)()


def in_threads(count: int, function: Any) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(function())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return found


def test_async_code_of_several_threads_runs_in_one_loop_at_once(loop: EventLoop) -> None:
    waiting: list[asyncio.Event] = []

    async def meets() -> asyncio.AbstractEventLoop:
        waiting.append(asyncio.Event())
        if len(waiting) == 3:
            for event in waiting:
                event.set()
        await waiting[-1].wait()
        return await tells_its_loop()

    found = in_threads(3, lambda: loop.run(meets()))
    assert len(found) == 3
    assert len(set(found)) == 1


def test_sync_code_runs_in_the_thread_that_waits(loop: EventLoop) -> None:
    inside, sync = loop.run(tells_its_threads())
    assert inside != threading.get_ident()
    assert sync == threading.get_ident()


def test_a_loop_that_is_not_open_makes_one_for_each_run() -> None:
    closed = EventLoop()
    _, sync = closed.run(tells_its_threads())
    assert sync == threading.get_ident()
    assert closed._loop is None


def test_other_async_code_of_a_thread_does_not_meet_the_loop(loop: EventLoop) -> None:
    shared = loop.run(tells_its_loop())
    assert async_to_sync(tells_its_loop)() is not shared


def test_a_loop_that_has_ended_does_not_keep_a_thread_from_lending_itself(loop: EventLoop) -> None:
    async_to_sync(tells_its_threads)()  # what a sync job may do; asgiref remembers its loop
    shared = loop.run(tells_its_loop())
    assert loop.run(tells_its_loop()) is shared is loop._loop


def test_a_loop_of_the_parent_process_does_not_keep_a_thread_from_lending_itself(loop: EventLoop) -> None:
    local = SyncToAsync.threadlocal
    other = EventLoop()
    other.open()
    try:
        local.main_event_loop, local.main_event_loop_pid = other._started(), os.getpid() - 1
        assert loop.run(tells_its_loop()) is loop._loop
    finally:
        other.close()


def test_sync_code_within_may_call_async_code_again(loop: EventLoop) -> None:
    async def outer() -> tuple[asyncio.AbstractEventLoop, asyncio.AbstractEventLoop]:
        return await tells_its_loop(), await sync_to_async(lambda: loop.run(tells_its_loop()))()

    first, second = loop.run(outer())
    assert first == second


def test_tasks_that_are_left_behind_end_with_their_job(loop: EventLoop) -> None:
    ended: list[str] = []

    async def lingers() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async def leaves() -> str:
        task = asyncio.get_running_loop().create_task(lingers())
        await asyncio.sleep(0)
        return str(task.done())

    assert loop.run(leaves()) == "False"
    assert ended == ["cancelled"]


def test_even_what_is_no_exception_comes_back(loop: EventLoop) -> None:
    async def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        loop.run(leaves())
    assert loop.run(tells_its_loop())


def test_a_task_that_exits_ends_no_other_job(loop: EventLoop) -> None:
    exited = threading.Event()

    async def leaves() -> None:
        raise SystemExit(3)

    async def has_a_task_that_leaves() -> None:
        await asyncio.gather(leaves())

    def run_and_leave() -> None:
        with pytest.raises(SystemExit):
            loop.run(has_a_task_that_leaves())

    async def waits() -> str:
        while not exited.is_set():
            await asyncio.sleep(0.01)
        return "ended"

    found: list[str] = []
    beside = threading.Thread(target=lambda: found.append(loop.run(waits())), daemon=True)
    beside.start()
    leaving = threading.Thread(target=run_and_leave, daemon=True)
    leaving.start()
    leaving.join(10)
    exited.set()
    beside.join(10)
    assert (leaving.is_alive(), found) == (False, ["ended"])


def test_a_limit_cancels_the_task_and_names_itself(loop: EventLoop) -> None:
    with pytest.raises(JobTimeout, match=r"0\.05 seconds"):
        loop.run(limited(asyncio.sleep(60), 0.05))


def test_a_time_out_of_the_jobs_own_is_its_own(loop: EventLoop) -> None:
    async def gives_up() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as found:
        loop.run(limited(gives_up(), 60))
    assert not isinstance(found.value, JobTimeout)
