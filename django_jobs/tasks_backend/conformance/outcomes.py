"""What becomes of calls: values, errors, the context of a run and the signals around it."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import async_to_sync

from ..compat import FAMILY, AnyResult, TaskResultStatus
from . import tasks
from .suite import Suite


class Outcomes(Suite):
    """A result tells how its task ended."""

    def assert_failed(self, result: AnyResult, kind: type[BaseException], last_line: str) -> None:
        self.assertEqual(result.status, TaskResultStatus.FAILED)
        self.assertTrue(result.is_finished)
        with self.assertRaisesMessage(ValueError, "Task failed"):
            _ = result.return_value
        (error,) = result.errors
        self.assertIs(error.exception_class, kind)
        self.assertTrue(error.traceback.startswith("Traceback (most recent call last)"), error.traceback)
        self.assertTrue(error.traceback.endswith(f"{last_line}\n"), error.traceback)
        self.assertIsNotNone(result.finished_at)

    def test_a_success(self) -> None:
        result = self.outcome(tasks.succeeds, {"a": [1, 2.5, None, True]}, key="ü")
        self.assertEqual(result.status, TaskResultStatus.SUCCESSFUL)
        self.assertEqual(result.return_value, [{"a": [1, 2.5, None, True]}, "ü"])
        self.assertEqual((result.errors, result.attempts, len(result.worker_ids)), ([], 1, 1))

    def test_its_times_are_in_order(self) -> None:
        result = self.outcome(tasks.succeeds)
        times = [result.enqueued_at, result.started_at, result.last_attempted_at, result.finished_at]
        self.assertNotIn(None, times)
        self.assertEqual(times, sorted(times))

    def test_no_value_is_a_value(self) -> None:
        self.assertIsNone(self.outcome(tasks.succeeds).return_value)

    def test_a_value_is_what_json_makes_of_it(self) -> None:
        self.assertEqual(self.outcome(tasks.returns_a_tuple).return_value, [1, 2])

    def test_a_value_that_json_cannot_hold_is_a_failure(self) -> None:
        result = self.outcome(tasks.returns_what_json_cannot_hold)
        self.assertEqual((result.status, result.errors[0].exception_class), (TaskResultStatus.FAILED, TypeError))

    def test_a_failure_keeps_its_exception(self) -> None:
        self.assert_failed(self.outcome(tasks.fails, "no paper"), ValueError, "ValueError: no paper")

    def test_an_exit_is_a_failure(self) -> None:
        self.assert_failed(self.outcome(tasks.exits), SystemExit, "SystemExit: done")

    def test_async_tasks(self) -> None:
        self.needs("async_task")
        self.assertEqual(self.outcome(tasks.succeeds_async, 6).return_value, 6)
        self.assert_failed(self.outcome(tasks.fails_async, "no ink"), ValueError, "ValueError: no ink")

    def test_the_context(self) -> None:
        for task in (tasks.tells, tasks.tells_async):
            result = self.outcome(task, "word")
            self.assertEqual(result.return_value, ["word", 1, result.id, "RUNNING"])

    def test_a_result_can_be_refreshed(self) -> None:
        self.needs("get_result")
        one, two = (self.on(tasks.succeeds).enqueue(number) for number in (1, 2))
        self.drain()
        one.refresh()
        async_to_sync(two.arefresh)()
        self.assertEqual((one.return_value, two.return_value), (1, 2))

    def test_results_are_read_from_async_code(self) -> None:
        self.needs("get_result")
        result = self.on(tasks.succeeds).enqueue(3)
        self.drain()
        self.assertEqual(async_to_sync(self.under_test.aget_result)(result.id).return_value, 3)

    def test_signals_of_a_success(self) -> None:
        with self.heard() as heard:
            result = self.on(tasks.succeeds).enqueue(1)
            self.drain()
        self.assertEqual(heard[0][0], "enqueued")
        if len(heard) == 1:
            self.skipTest("tasks run in other processes, whose signals are not heard here")
        self.assertEqual([name for name, _, _ in heard], ["enqueued", "started", "finished"])
        self.assertEqual({sender for _, sender, _ in heard}, {type(self.under_test)})
        self.assertEqual({told.id for _, _, told in heard}, {result.id})
        self.assertEqual((heard[2][2].status, heard[2][2].return_value), (TaskResultStatus.SUCCESSFUL, 1))

    def test_the_log_has_the_exception(self) -> None:
        with self.heard() as heard, self.assertLogs(FAMILY, logging.DEBUG) as logs:
            self.on(tasks.fails).enqueue("no toner")
            self.drain()
        if len(heard) == 1:
            self.skipTest("tasks run in other processes, whose logs are not seen here")
        self.assertEqual(heard[-1][2].status, TaskResultStatus.FAILED)
        (record,) = [record for record in logs.records if record.levelno == logging.ERROR]
        info: Any = record.exc_info
        self.assertEqual((info[0], str(info[1])), (ValueError, "no toner"))
