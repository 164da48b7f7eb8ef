"""Calls: their arguments, their order and their time, and the first signal."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from asgiref.sync import async_to_sync

from ... import clock
from ..compat import AnyResult, TaskResultDoesNotExist, TaskResultMismatch, TaskResultStatus
from . import tasks
from .suite import Suite


class Enqueueing(Suite):
    """A call becomes a result that waits, and that can be found again."""

    def test_a_call_has_an_id_and_its_arguments(self) -> None:
        result = self.on(tasks.succeeds).enqueue((1, "two"), key={"three": b"four"})
        self.assertIsInstance(result.id, str)
        self.assertTrue(0 < len(result.id) < 64)
        self.assertEqual((result.args, result.kwargs), ([[1, "two"]], {"key": {"three": "four"}}))
        self.assertEqual(result.backend, self.backend)
        self.assertEqual(result.task.func, tasks.succeeds.func)
        self.assertIsNotNone(result.enqueued_at)

    def test_ids_differ(self) -> None:
        ids = {self.on(tasks.succeeds).enqueue(number).id for number in range(5)}
        self.assertEqual(len(ids), 5)

    def test_arguments_that_json_cannot_hold_are_refused(self) -> None:
        with self.heard() as heard:
            for value in (object(), {1, 2}, date(2024, 1, 1), [object()]):
                with self.assertRaises(TypeError):
                    self.on(tasks.succeeds).enqueue(value)
            with self.assertRaises(ValueError):
                self.on(tasks.succeeds).enqueue(b"\xff")
        self.assertEqual(heard, [])

    def test_a_call_from_async_code(self) -> None:
        self.needs("get_result")

        async def call() -> AnyResult:
            result: AnyResult = await self.on(tasks.succeeds).aenqueue(5)
            return await self.under_test.aget_result(result.id)

        self.assertEqual(async_to_sync(call)().args, [5])

    def test_a_new_result_is_ready_for_everybody(self) -> None:
        self.needs("get_result")
        result = self.on(tasks.succeeds).enqueue(1)
        again = self.under_test.get_result(result.id)
        self.assertEqual(again, result)
        self.assertEqual(again.status, TaskResultStatus.READY)
        self.assertFalse(again.is_finished)
        with self.assertRaises(ValueError):
            _ = again.return_value
        self.assertEqual((again.attempts, again.errors, again.started_at), (0, [], None))

    def test_a_result_keeps_the_options_of_its_task(self) -> None:
        for feature in ("get_result", "priority", "defer"):
            self.needs(feature)
        task = self.on(tasks.succeeds, priority=12, run_after=clock.now() + timedelta(days=1))
        self.assertEqual(self.under_test.get_result(task.enqueue().id).task, task)

    def test_a_missing_result(self) -> None:
        self.needs("get_result")
        for result_id in ("", "0", "no such id", "9" * 15, "9" * 63, "1' OR '1'='1", "１"):
            with self.assertRaises(TaskResultDoesNotExist):
                self.under_test.get_result(result_id)
            with self.assertRaises(TaskResultDoesNotExist):
                async_to_sync(self.under_test.aget_result)(result_id)

    def test_a_result_belongs_to_its_task(self) -> None:
        self.needs("get_result")
        result = self.on(tasks.succeeds).enqueue(1)
        self.assertEqual(self.on(tasks.succeeds).get_result(result.id), result)
        for read in (self.on(tasks.fails).get_result, async_to_sync(self.on(tasks.fails).aget_result)):
            with self.assertRaises(TaskResultMismatch):
                read(result.id)

    def test_higher_priorities_run_first(self) -> None:
        self.needs("priority")
        priorities = [0, -100, 100, 0]
        results = [self.on(tasks.notes, priority=at).enqueue(at) for at in priorities]
        if tasks.ran:
            self.skipTest("tasks run as they are enqueued")
        self.drain()
        order: list[Any] = tasks.ran
        if not order:  # they ran in other processes
            self.needs("get_result")
            read: list[Any] = [self.under_test.get_result(result.id) for result in results]
            order = [result.args[0] for result in sorted(read, key=lambda result: result.started_at)]
        self.assertEqual(order, [100, 0, 0, -100])

    def test_a_task_does_not_run_before_its_time(self) -> None:
        self.needs("defer")
        self.needs("get_result")
        late = self.on(tasks.succeeds, run_after=clock.now() + timedelta(hours=1)).enqueue(1)
        past = self.on(tasks.succeeds, run_after=clock.now() - timedelta(hours=1)).enqueue(2)
        self.drain()
        late.refresh()
        past.refresh()
        self.assertEqual(
            (late.status, past.status, past.return_value), (TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL, 2)
        )
